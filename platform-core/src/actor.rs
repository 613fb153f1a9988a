//! Who caused a change.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The greatest length of an actor's id and of its name, in bytes each.
pub(crate) const ACTOR_MAX: usize = 256;

/// Who caused a change: a user, a service, or the system itself.
///
/// The text form is `user:42`, `service:billing` or `system`; the name is for people and travels beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    kind: ActorKind,
    id: String,
    name: Option<String>,
}

/// The kinds of [`Actor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActorKind {
    /// A person.
    User,
    /// Another program.
    Service,
    /// Nobody: a timer, an import, the platform.
    System,
}

impl Actor {
    /// A person by id.
    pub fn user(id: impl Into<String>) -> Self {
        Self {
            kind: ActorKind::User,
            id: id.into(),
            name: None,
        }
    }

    /// A program by name.
    pub fn service(id: impl Into<String>) -> Self {
        Self {
            kind: ActorKind::Service,
            id: id.into(),
            name: None,
        }
    }

    /// Nobody in particular.
    pub fn system() -> Self {
        Self {
            kind: ActorKind::System,
            id: String::new(),
            name: None,
        }
    }

    /// Adds the name that people read.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ActorKind {
        self.kind
    }

    /// Returns the id; empty for the system.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name that people read.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Checks lengths and characters.
    ///
    /// # Errors
    /// When the id is empty (other than the system's), too long, or holds control characters.
    pub fn check(&self) -> Result<(), Error> {
        if self.id.is_empty() && self.kind != ActorKind::System {
            return Err(Error::invalid(
                "the actor's id is empty; name who acts, or use Actor::system()",
            ));
        }
        for (what, text) in [
            ("id", self.id.as_str()),
            ("name", self.name.as_deref().unwrap_or("")),
        ] {
            if text.len() > ACTOR_MAX || text.chars().any(char::is_control) {
                return Err(Error::invalid(format!(
                    "the actor's {what} must have at most {ACTOR_MAX} bytes and no control characters"
                )));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ActorKind::User => write!(f, "user:{}", self.id),
            ActorKind::Service => write!(f, "service:{}", self.id),
            ActorKind::System => f.write_str("system"),
        }
    }
}

impl FromStr for Actor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let actor = match text.split_once(':') {
            Some(("user", id)) => Self::user(id),
            Some(("service", id)) => Self::service(id),
            None if text == "system" => Self::system(),
            _ => {
                return Err(Error::invalid(format!(
                    "`{text}` is not an actor; write user:ID, service:NAME or system"
                )));
            }
        };
        actor.check().map(|()| actor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_and_its_text_convert_both_ways() {
        for actor in [
            Actor::user("42"),
            Actor::service("billing"),
            Actor::system(),
        ] {
            assert_eq!(actor.to_string().parse::<Actor>().unwrap(), actor);
        }
    }

    #[test]
    fn a_wrong_actor_says_what_to_write() {
        for text in ["", "bob", "user:", "robot:1", "user:a\nb"] {
            text.parse::<Actor>().unwrap_err();
        }
    }
}
