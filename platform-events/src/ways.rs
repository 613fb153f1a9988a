//! The ways of a service to others, as its builder collects them, and the mistakes that are found in them.

use std::collections::HashSet;
use std::sync::Arc;

use platform_core::Store;

use crate::Error;
use crate::envelope::PUBLISH_MAX;
use crate::receiving::{Receiver, Subscription, Surroundings, is_topic};
use crate::registry::Registration;
use crate::relay;
use crate::transport::Transport;
use crate::worker::Parts;

/// Transport, relays and subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) relays: Vec<String>,
    pub(crate) subscriptions: Vec<Subscription>,
}

impl Ways {
    /// Finds what is wired wrongly.
    pub(crate) fn check(&self, service: &str) -> Result<(), Error> {
        if self.relays.is_empty() && self.subscriptions.is_empty() {
            return Ok(());
        }
        let Some(transport) = &self.transport else {
            return Err(Error::wiring(
                "the service relays or receives without a transport; name one with `.with_transport(…)`",
            ));
        };
        let capabilities = transport.capabilities();
        if !self.relays.is_empty() && capabilities.payload_max < PUBLISH_MAX {
            return Err(Error::wiring(format!(
                "the transport carries payloads of {} bytes, but events may have {PUBLISH_MAX}; raise its limit, \
                 or relay through another one",
                capabilities.payload_max
            )));
        }
        self.check_relays()?;
        let mut topics = HashSet::new();
        for subscription in &self.subscriptions {
            subscription.check(service, capabilities)?;
            if !topics.insert(subscription.topic_name()) {
                return Err(Error::wiring(format!(
                    "the topic `{}` is received twice; name all its sources in one subscription",
                    subscription.topic_name()
                )));
            }
        }
        Ok(())
    }

    fn check_relays(&self) -> Result<(), Error> {
        let mut names = HashSet::new();
        for topic in &self.relays {
            let name = relay::group_name(topic);
            // The group's name keeps 64 bytes, six of which say that it relays.
            if !is_topic(topic) || name.len() > 64 {
                return Err(Error::wiring(format!(
                    "`{topic}` is no topic to relay to; use 1 to 58 bytes without control characters"
                )));
            }
            if !names.insert(name) {
                return Err(Error::wiring(format!(
                    "the relay to `{topic}` would be the group `{name}` a second time; name each topic once, and \
                     tell topics apart by letters and digits"
                )));
            }
        }
        Ok(())
    }

    /// Makes the groups that relay.
    pub(crate) fn registrations(&self, store: &Store) -> Vec<Registration> {
        let Some(transport) = &self.transport else {
            return Vec::new();
        };
        let relay = |topic: &String| relay::registration(topic, Arc::clone(transport), store);
        self.relays.iter().map(relay).collect()
    }

    /// Makes the receivers of a service.
    pub(crate) fn receivers(&self, parts: &Parts) -> Vec<Arc<Receiver>> {
        let Some(transport) = &self.transport else {
            return Vec::new();
        };
        let surroundings = Surroundings {
            service: parts.service.clone(),
            log: parts.log.clone(),
            publisher: parts.publisher.clone(),
            signal: parts.signal.clone(),
            vitals: Arc::clone(&parts.vitals),
            transport: Arc::clone(transport),
        };
        let subscriptions = self.subscriptions.iter().cloned();
        subscriptions
            .map(|subscription| Arc::new(Receiver::new(surroundings.clone(), subscription)))
            .collect()
    }
}
