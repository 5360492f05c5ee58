//! [`Credentials`]: the name and password of the admins.

use bcrypt::HashParts;
use std::str::FromStr;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::hub::build_error::BuildProblem;

/// A higher cost takes longer than a client waits.
const MAX_COST: u32 = 14;
/// How many passwords are verified at once. Each keeps a core busy.
const MAX_VERIFICATIONS: usize = 2;

#[derive(Clone)]
pub(super) struct Credentials {
    username: String,
    hash: Arc<str>,
    verifications: Arc<Semaphore>,
}

impl Credentials {
    pub(super) fn new(username: String, hash: String) -> Self {
        Self { username, hash: hash.into(), verifications: Arc::new(Semaphore::new(MAX_VERIFICATIONS)) }
    }

    pub(super) fn check(&self) -> Result<(), BuildProblem> {
        // The value may be a password.
        let problem = |accepted: &str| Err(BuildProblem::setting("admin.password_hash", "the given text", accepted));
        match HashParts::from_str(&self.hash) {
            Err(_) => problem("a bcrypt hash, such as `htpasswd -nBC 10 admin` prints after the colon"),
            Ok(parts) if parts.get_cost() > MAX_COST => problem("a bcrypt hash with a cost of at most 14"),
            Ok(_) => Ok(()),
        }
    }

    /// Compares a name and a password. It takes equally long for a wrong name and a wrong password.
    pub(super) async fn verify(&self, username: &str, password: &str) -> bool {
        let is_known = self.username.as_bytes().ct_eq(username.as_bytes());
        let Ok(permit) = Arc::clone(&self.verifications).acquire_owned().await else { return false };
        let (hash, password) = (Arc::clone(&self.hash), password.to_owned());
        let verified = spawn_blocking(move || {
            let verified = bcrypt::verify(password, &hash);
            drop(permit);
            verified.unwrap_or(false)
        });
        let is_right = verified.await.unwrap_or(false);
        bool::from(is_known) & is_right
    }
}
