use socketio::{EmitError, ErrorCodes, EventError, event, events};
use std::fmt;

#[derive(Debug, ErrorCodes)]
enum ChatError {
    NoSuchUser(String),
    #[code("silenced")]
    Muted {
        minutes: u32,
    },
    #[code("silenced")]
    Banned,
    Emit(EmitError),
}

impl fmt::Display for ChatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchUser(name) => write!(formatter, "nobody is called {name}"),
            Self::Muted { minutes } => write!(formatter, "you are muted for {minutes} minutes"),
            Self::Banned => formatter.write_str("you are banned"),
            Self::Emit(error) => error.fmt(formatter),
        }
    }
}

impl From<EmitError> for ChatError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}

#[derive(ErrorCodes)]
struct TooLate;

impl fmt::Display for TooLate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("too late")
    }
}

#[derive(ErrorCodes)]
#[code("wrong")]
struct Wrong<'a, T: fmt::Display> {
    what: &'a T,
}

impl<T: fmt::Display> fmt::Display for Wrong<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(formatter)
    }
}

/// Nothing ever goes wrong.
#[derive(ErrorCodes)]
enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

#[event("speak")]
fn speak(to: String) -> Result<(), ChatError> {
    match to.as_str() {
        "banned" => Err(ChatError::Banned),
        "muted" => Err(ChatError::Muted { minutes: 5 }),
        _ => Err(ChatError::NoSuchUser(to)),
    }
}

#[event("wait")]
async fn wait() -> Result<(), TooLate> {
    Err(TooLate)
}

#[event("calm")]
fn calm() -> Result<(), Never> {
    Ok(())
}

fn told(error: impl Into<EventError>) -> (String, String) {
    let error = error.into();
    (error.code().to_owned(), error.message().to_owned())
}

#[test]
fn compiles() {
    events![speak, wait, calm];
    assert_eq!(ChatError::CODES, ["no_such_user", "silenced", "emit"]);
    assert_eq!(TooLate::CODES, ["too_late"]);
    assert_eq!(Wrong::<u32>::CODES, ["wrong"]);
    assert!(Never::CODES.is_empty());
    assert_eq!(told(ChatError::NoSuchUser("Ann".into())), ("no_such_user".into(), "nobody is called Ann".into()));
    assert_eq!(told(ChatError::Muted { minutes: 5 }), ("silenced".into(), "you are muted for 5 minutes".into()));
    assert_eq!(told(TooLate), ("too_late".into(), "too late".into()));
    assert_eq!(told(Wrong { what: &1 }), ("wrong".into(), "1".into()));
}
