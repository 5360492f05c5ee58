//! [`Answers`]: what requests with idempotency keys were answered, so that a request that is
//! repeated emits once. It follows the draft `draft-ietf-httpapi-idempotency-key-header`.

use http::HeaderMap;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The longest key, in characters.
pub(super) const MAX_KEY: usize = 255;

const HEADER: &str = "idempotency-key";

type Hash = [u8; 32];

/// The answers of earlier requests, bounded by number and age.
#[derive(Debug)]
pub(super) struct Answers {
    max: usize,
    max_age: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    answers: HashMap<Hash, Answer>,
    /// When each of them began, the oldest first.
    ages: VecDeque<(Instant, Hash)>,
}

#[derive(Debug)]
struct Answer {
    body: Hash,
    /// `None` while the request is in progress.
    id: Option<Uuid>,
}

/// What is known of a key.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// The request is a new one, and must be finished.
    New(InProgress<'a>),
    /// It was answered with this id.
    Answered(Uuid),
    InProgress,
    /// The key was used for another body.
    OtherBody,
    /// All keys are in progress.
    Full,
}

/// A request in progress. If it is dropped, its key is free again.
#[derive(Debug)]
pub(super) struct InProgress<'a> {
    answers: &'a Answers,
    key: Hash,
    is_finished: bool,
}

/// The header is no idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidKey;

impl Answers {
    pub(super) fn new(max: usize, max_age: Duration) -> Self {
        Self { max, max_age, known: Mutex::default() }
    }

    /// Begins a request with a key.
    pub(super) fn begin(&self, caller: &str, key: &str, body: &[u8]) -> Found<'_> {
        let key = key_hash(caller, key);
        let body: Hash = Sha256::digest(body).into();
        let now = Instant::now();
        let mut known = self.known.lock();
        known.forget_older(now, self.max_age);
        if let Some(answer) = known.answers.get(&key) {
            return match answer.id {
                _ if answer.body != body => Found::OtherBody,
                Some(id) => Found::Answered(id),
                None => Found::InProgress,
            };
        }
        if known.answers.len() >= self.max && !known.forget_oldest() {
            return Found::Full;
        }
        known.answers.insert(key, Answer { body, id: None });
        known.ages.push_back((now, key));
        Found::New(InProgress { answers: self, key, is_finished: false })
    }
}

impl Known {
    fn forget_older(&mut self, now: Instant, max_age: Duration) {
        while let Some((begun, key)) = self.ages.front().copied()
            && now.duration_since(begun) >= max_age
            && self.answers.get(&key).is_none_or(|answer| answer.id.is_some())
        {
            self.ages.pop_front();
            self.answers.remove(&key);
        }
    }

    /// Forgets the oldest answer. Returns `false` if all requests are in progress.
    fn forget_oldest(&mut self) -> bool {
        let is_answered = |key: &Hash| self.answers.get(key).is_none_or(|answer| answer.id.is_some());
        let Some(at) = self.ages.iter().position(|(_, key)| is_answered(key)) else { return false };
        if let Some((_, key)) = self.ages.remove(at) {
            self.answers.remove(&key);
        }
        true
    }
}

impl InProgress<'_> {
    /// Keeps the answer.
    pub(super) fn finish(mut self, id: Uuid) {
        self.is_finished = true;
        if let Some(answer) = self.answers.known.lock().answers.get_mut(&self.key) {
            answer.id = Some(id);
        }
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            let mut known = self.answers.known.lock();
            known.answers.remove(&self.key);
            // It mostly is the last one.
            let at = known.ages.iter().rposition(|(_, key)| *key == self.key);
            at.map(|at| known.ages.remove(at));
        }
    }
}

/// The key of a request. The draft has it as a string in quotes; many clients leave them out.
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<&str>, InvalidKey> {
    let mut values = headers.get_all(HEADER).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(InvalidKey);
    }
    let text = value.to_str().map_err(|_| InvalidKey)?.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or(InvalidKey)?,
        None => text,
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    match (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(is_plain) {
        true => Ok(Some(key)),
        false => Err(InvalidKey),
    }
}

fn key_hash(caller: &str, key: &str) -> Hash {
    // A key has no zero, so that two pairs never have one hash.
    Sha256::new().chain_update(caller).chain_update([0]).chain_update(key).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::future::Future;

    const AGE: Duration = Duration::from_secs(60);

    fn paused<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(test)
    }

    fn finish(answers: &Answers, key: &str) -> Uuid {
        let id = Uuid::new_v4();
        match answers.begin("caller", key, b"body") {
            Found::New(request) => request.finish(id),
            other => panic!("{other:?}"),
        }
        id
    }

    fn answered(answers: &Answers, key: &str) -> Option<Uuid> {
        match answers.begin("caller", key, b"body") {
            Found::Answered(id) => Some(id),
            Found::New(_) => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_has_one_answer_and_one_body() {
        paused(async {
            let answers = Answers::new(10, AGE);
            let Found::New(request) = answers.begin("caller", "a", b"body") else { panic!("it is new") };
            assert!(matches!(answers.begin("caller", "a", b"body"), Found::InProgress));
            assert!(matches!(answers.begin("caller", "a", b"other"), Found::OtherBody));
            assert!(matches!(answers.begin("other", "a", b"other"), Found::New(_)));
            let id = Uuid::new_v4();
            request.finish(id);
            assert_eq!(answered(&answers, "a"), Some(id));
            assert!(matches!(answers.begin("caller", "a", b"other"), Found::OtherBody));
        });
    }

    #[test]
    fn a_request_that_fails_frees_its_key() {
        paused(async {
            let answers = Answers::new(10, AGE);
            drop(answers.begin("caller", "a", b"body"));
            assert!(matches!(answers.begin("caller", "a", b"other"), Found::New(_)));
            let known = answers.known.lock();
            assert_eq!((known.answers.len(), known.ages.len()), (0, 0));
        });
    }

    #[test]
    fn answers_are_forgotten_by_age_and_number() {
        paused(async {
            let answers = Answers::new(2, AGE);
            let first = finish(&answers, "a");
            tokio::time::advance(AGE / 2).await;
            let second = finish(&answers, "b");
            assert_eq!(answered(&answers, "a"), Some(first));
            tokio::time::advance(AGE / 2).await;
            assert_eq!((answered(&answers, "a"), answered(&answers, "b")), (None, Some(second)));
            finish(&answers, "c");
            finish(&answers, "d");
            assert_eq!(answered(&answers, "b"), None);
            let known = answers.known.lock();
            assert!(known.answers.len() <= 2 && known.ages.len() == known.answers.len());
        });
    }

    #[test]
    fn requests_in_progress_are_not_forgotten() {
        paused(async {
            let answers = Answers::new(2, AGE);
            let one = answers.begin("caller", "a", b"body");
            tokio::time::advance(AGE * 2).await;
            let second = finish(&answers, "b");
            assert_eq!(answered(&answers, "b"), Some(second));
            let two = answers.begin("caller", "c", b"body");
            assert!(matches!(answers.begin("caller", "d", b"body"), Found::Full));
            assert!(matches!(answers.begin("caller", "a", b"body"), Found::InProgress));
            drop((one, two));
            assert!(matches!(answers.begin("caller", "d", b"body"), Found::New(_)));
        });
    }

    #[test]
    fn keys_are_strings_with_or_without_quotes() {
        let key = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| _ = headers.append(HEADER, HeaderValue::from_static(value)));
            key_of(&headers).map(|key| key.map(str::to_owned))
        };
        let uuid = "8e03978e-40d5-43e8-bc93-6894a57f9324";
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&[uuid]), Ok(Some(uuid.to_owned())));
        assert_eq!(key(&["\"8e03978e-40d5-43e8-bc93-6894a57f9324\""]), Ok(Some(uuid.to_owned())));
        for wrong in [&[""][..], &["\"\""], &["\""], &["a b"], &["\"a"], &["a\"b"], &["a\\b"], &["a", "a"]] {
            assert_eq!(key(wrong), Err(InvalidKey), "{wrong:?}");
        }
        let long = "x".repeat(MAX_KEY + 1);
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(&long).expect("a value"));
        assert_eq!(key_of(&headers), Err(InvalidKey));
    }
}
