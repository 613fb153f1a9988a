//! What each command does with the service.

mod ask;
mod bring;
mod look;
mod parked;

pub(crate) use ask::{audit, lag, replay, retire, why, why_not};
pub(crate) use bring::{import, sample, work};
pub(crate) use look::{history, revenue, status};
pub(crate) use parked::{discard, parked, redrive};

use platform_core::Store;
use platform_events::Service;

use crate::arguments::{Arguments, DEFAULT_STORE};
use crate::failure::Failure;
use crate::wiring;

/// The service of this run, with its store and the words that name it.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) service: Service,
    /// The store's address without user and password.
    pub(crate) place: String,
    pub(crate) mails: String,
    /// What a later command needs to find the same store: nothing for the default one.
    pub(crate) hint: String,
}

impl Opened {
    pub(crate) async fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let store = Store::open(&arguments.store).await?;
        let mails = arguments.mails();
        let service = wiring::service(&store, mails.clone()).await?;
        let url = &arguments.store;
        let place = url
            .rsplit_once('@')
            .map_or(url.as_str(), |(_, place)| place)
            .to_owned();
        let hint = match url.split_once("://") {
            _ if url == DEFAULT_STORE => String::new(),
            Some((scheme, rest)) => format!("--store {scheme}://{} ", without_password(rest)),
            None => format!("--store {url} "),
        };
        Ok(Self {
            store,
            service,
            place,
            mails: mails.display().to_string(),
            hint,
        })
    }
}

fn without_password(place: &str) -> String {
    match place.rsplit_once('@') {
        Some((user, rest)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{user}@{rest}")
        }
        None => place.to_owned(),
    }
}
