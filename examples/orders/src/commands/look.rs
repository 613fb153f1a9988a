//! Commands that only look: status, revenue, history.

use platform_history::{ChangedField, Entry, Timeline};

use crate::arguments::TenantArguments;
use crate::commands::Opened;
use crate::failure::Failure;
use crate::output::say;
use crate::revenue;
use crate::status::Status;

/// Entries of one look into the store.
const PAGE: u32 = 100;

pub(crate) async fn status(opened: &Opened, is_json: bool) -> Result<(), Failure> {
    let status = Status::of(&opened.store, &opened.service).await?;
    if !is_json {
        return Ok(say(status)?);
    }
    let json = serde_json::to_string(&status).map_err(std::io::Error::from)?;
    Ok(say(json)?)
}

pub(crate) async fn revenue(opened: &Opened, of: &TenantArguments) -> Result<(), Failure> {
    for line in revenue::earned(&opened.store, &of.tenant).await? {
        let revenue::Earned {
            country,
            currency,
            orders,
            total,
        } = line;
        say(format_args!(
            "{country:<16}{orders:>6} orders{total:>14} {currency}"
        ))?;
    }
    Ok(())
}

/// Tells the changes of one object, newest first.
pub(crate) async fn history(
    opened: &Opened,
    kind: &str,
    id: &str,
    of: &TenantArguments,
) -> Result<(), Failure> {
    let timeline = Timeline::of(&opened.store, &of.tenant, kind, id);
    let mut page = timeline.page(None, PAGE).await?;
    if page.items.is_empty() {
        let tenant = &of.tenant;
        return Err(Failure::Wrong(format!(
            "nothing is remembered of {kind} {id:?} of tenant {tenant}; KIND is customer or order"
        )));
    }
    loop {
        page.items.iter().try_for_each(tell)?;
        let Some(next) = page.next else { return Ok(()) };
        page = timeline.page(Some(&next), PAGE).await?;
    }
}

fn tell(entry: &Entry) -> std::io::Result<()> {
    let actor = entry.actor.as_deref().unwrap_or("nobody");
    let time = entry.occurred_at.format("%Y-%m-%d %H:%M");
    say(format_args!(
        "version {}: {} by {actor} at {time}",
        entry.version, entry.event_type
    ))?;
    entry.changes.iter().try_for_each(|field| {
        let ChangedField { path, old, new, .. } = field;
        let (old, new) = (
            old.as_ref().map(|old| old.get()),
            new.as_ref().map(|new| new.get()),
        );
        match (old, new) {
            (None, new) => say(format_args!("  {path}: {}", new.unwrap_or("changed"))),
            (Some(old), new) => say(format_args!("  {path}: {old} → {}", new.unwrap_or("gone"))),
        }
    })
}
