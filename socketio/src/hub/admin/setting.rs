//! [`Setting`] and [`RunningAdmin`]: the optional Admin UI of a builder and of its hub.
//!
//! `no_admin.rs` has their twins for builds without the feature.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::credentials::Credentials;
use super::{Admin, AdminCore, Observer};
use crate::hub::Hub;
use crate::hub::build_error::BuildProblem;
use crate::hub::namespace::pattern::Pattern;
use crate::hub::namespace_builder::NamespaceBuilder;

/// The Admin UI of a builder.
#[derive(Default)]
pub(crate) struct Setting(Option<Box<Admin>>);

impl Setting {
    pub(super) fn of(admin: Admin) -> Self {
        Self(Some(Box::new(admin)))
    }

    pub(crate) fn check(&self, namespaces: &BTreeMap<String, NamespaceBuilder>, problems: &mut Vec<BuildProblem>) {
        let Some(admin) = &self.0 else { return };
        if let Some(Err(problem)) = admin.credentials.as_ref().map(Credentials::check) {
            problems.push(problem);
        }
        let path = &admin.path;
        if path == "/" || Pattern::of(path).is_some() || namespaces.contains_key(path) {
            let accepted = "a namespace that the application does not use, without parameters";
            problems.push(BuildProblem::setting("admin.namespace", path, accepted));
        }
    }

    /// Adds the namespace of the admins.
    pub(crate) fn prepare(self, namespaces: &mut BTreeMap<String, NamespaceBuilder>) -> RunningAdmin {
        RunningAdmin(self.0.map(|admin| {
            let path = admin.path.clone();
            let core = Arc::new(AdminCore::new(*admin));
            let logging_in = Arc::clone(&core);
            let namespace = NamespaceBuilder::default().middleware(move |socket| {
                let core = Arc::clone(&logging_in);
                async move { core.log_in(socket).await }
            });
            namespaces.insert(path, namespace);
            core
        }))
    }
}

/// The Admin UI of a hub.
#[derive(Default)]
pub(crate) struct RunningAdmin(Option<Arc<AdminCore>>);

impl RunningAdmin {
    /// Registers the listeners for admins. Starts to send statistics, if there is a runtime.
    pub(crate) fn begin(&self, hub: &Hub) {
        if let Some(core) = &self.0 {
            core.listen(&hub.of(core.path()));
            core.start(hub);
        }
    }

    /// Starts to send statistics, unless that was done.
    pub(crate) fn start(&self, hub: &Hub) {
        if let Some(core) = &self.0 {
            core.start(hub);
        }
    }

    /// Whether this is the namespace of the admins.
    pub(crate) fn owns(&self, path: &str) -> bool {
        self.0.as_ref().is_some_and(|core| core.path() == path)
    }

    pub(crate) fn observer(&self) -> Observer {
        Observer::new(self.0.as_ref().filter(|core| core.is_development()).cloned())
    }
}
