//! The survey that follows a shipment: a task three days later.

use platform_events::HandlerError;
use platform_tasks::{Later, Task, TaskContext, Tasks, days};
use serde::{Deserialize, Serialize};

use crate::order::Order;

/// Asks a customer how it went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendSurvey {
    order: String,
}

pub(crate) fn tasks() -> Tasks {
    Tasks::new().on("order.shipped", follow_up)
}

fn follow_up(order: &Order) -> Later<SendSurvey> {
    SendSurvey {
        order: order.id.clone(),
    }
    .after(days(3))
}

impl Task for SendSurvey {
    const KIND: &'static str = "send-survey";

    async fn run(&self, cx: &mut TaskContext<'_>) -> Result<(), HandlerError> {
        let tenant = cx.tenant().clone();
        cx.tx()
            .query(SEND)
            .bind(tenant)
            .bind(&self.order)
            .execute()
            .await?;
        Ok(())
    }
}

const SEND: &str = "insert into surveys (tenant, order_id, sent_at)
    values ($1, $2, (select now from platform_time)) on conflict do nothing";
