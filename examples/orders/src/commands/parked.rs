//! Commands for events that could not be handled: list, try again, give up.

use platform_events::parking::{Filter, ParkedEvent};

use crate::arguments::{Decision, FilterArguments};
use crate::commands::Opened;
use crate::failure::Failure;
use crate::output::say;

/// Parked events of one look.
const PAGE: u32 = 200;

pub(crate) async fn parked(opened: &Opened, narrowed: &FilterArguments) -> Result<(), Failure> {
    let (parking, filter) = (opened.service.parking(), narrowed.filter());
    let mut page = parking.list(&filter, None, PAGE).await?;
    if page.items.is_empty() {
        say("nothing is parked")?;
    }
    loop {
        page.items.iter().try_for_each(tell)?;
        let Some(next) = page.next else { return Ok(()) };
        page = parking.list(&filter, Some(&next), PAGE).await?;
    }
}

fn tell(event: &ParkedEvent) -> std::io::Result<()> {
    let ParkedEvent {
        position,
        event_type,
        subject,
        handler,
        attempts,
        cause,
        reason,
        ..
    } = event;
    say(format_args!(
        "{position} {event_type} {} in {handler}: {cause} after {attempts} attempts: {reason}",
        subject.as_deref().unwrap_or_default()
    ))
}

pub(crate) async fn redrive(opened: &Opened, decision: &Decision) -> Result<(), Failure> {
    let (filter, actor) = meant(decision);
    let count = opened
        .service
        .parking()
        .redrive(&filter, &actor, &decision.who.because)
        .await?;
    Ok(say(format_args!(
        "{count} events are tried again by the next `orders work`"
    ))?)
}

pub(crate) async fn discard(opened: &Opened, decision: &Decision) -> Result<(), Failure> {
    let (filter, actor) = meant(decision);
    let count = opened
        .service
        .parking()
        .discard(&filter, &actor, &decision.who.because)
        .await?;
    Ok(say(format_args!(
        "{count} events are given up; later ones go on with the next `orders work`"
    ))?)
}

fn meant(decision: &Decision) -> (Filter, platform_core::Actor) {
    (decision.filter.filter(), decision.who.actor())
}
