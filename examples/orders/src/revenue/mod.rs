//! Revenue by country and currency: a read model, made from events alone.
//!
//! Its handler is serial, since orders of all customers meet in the same few rows.

mod ledger;
mod tables;

use platform_core::{Error, Store, TenantId, Tx};
use platform_events::envelope::Envelope;
use platform_events::handler::Input;
use platform_events::{
    BatchHandler, Context, EntityChanged, HandlerError, Lanes, Received, Reject,
};

use crate::customer::Customer;
use crate::order::Order;

/// The handler that keeps the read model.
pub(crate) struct Revenue;

/// What changes revenue.
pub(crate) enum Sale {
    Customer(EntityChanged<Customer>),
    Order(EntityChanged<Order>),
}

/// One line of the answer.
#[derive(Debug)]
pub(crate) struct Earned {
    pub(crate) country: String,
    pub(crate) currency: String,
    pub(crate) orders: i64,
    pub(crate) total: String,
}

impl Input for Sale {
    fn patterns() -> Vec<String> {
        [
            EntityChanged::<Customer>::patterns(),
            EntityChanged::<Order>::patterns(),
        ]
        .concat()
    }

    fn concerns(envelope: &Envelope) -> bool {
        EntityChanged::<Customer>::concerns(envelope) || EntityChanged::<Order>::concerns(envelope)
    }

    fn decode(envelope: &Envelope) -> Result<Self, String> {
        match EntityChanged::<Customer>::concerns(envelope) {
            true => EntityChanged::decode(envelope).map(Self::Customer),
            false => EntityChanged::decode(envelope).map(Self::Order),
        }
    }
}

impl BatchHandler for Revenue {
    const NAME: &'static str = "revenue";
    const LANES: Lanes = Lanes::Serial;
    type Event = Sale;

    async fn handle(
        &self,
        sales: &[Received<Sale>],
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let tx = cx.tx().await?;
        let mut ledger = tables::load(sales.iter().map(|sale| &**sale), tx).await?;
        for sale in sales {
            let added = match &**sale {
                Sale::Order(change) => ledger.order(change.before.as_ref(), change.after.as_ref()),
                Sale::Customer(change) => change
                    .after
                    .as_ref()
                    .map_or(Ok(()), |customer| ledger.customer(customer)),
            };
            added.map_err(Reject::reject)?;
        }
        tables::save(&ledger, tx).await
    }

    async fn reset(&self, tx: &mut Tx) -> Result<(), HandlerError> {
        tables::clear(tx).await
    }
}

/// What was earned, by country and currency.
pub(crate) async fn earned(store: &Store, tenant: &TenantId) -> Result<Vec<Earned>, Error> {
    tables::lines(store, tenant).await
}
