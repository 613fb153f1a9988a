//! Which mails tell of which changes.
//!
//! Pure: a mail is made from the changed object alone. Where they go says the wiring.

use platform_notify::{Mailbox, Notify, Rules};

use crate::customer::Customer;
use crate::order::Order;

/// A customer or an order without an address gets no mail.
pub(crate) fn rules() -> Rules {
    Rules::new()
        .on("customer.created", welcome)
        .on("order.created", confirmation)
        .on("order.shipped", shipment)
}

fn welcome(customer: &Customer) -> Option<Notify> {
    let Customer { name, email, .. } = customer;
    let mail = Notify::template("welcome")
        .subject("Welcome")
        .text(format!("Hello {name},\n\nthank you for joining us.\n"));
    email
        .as_ref()
        .map(|email| mail.to(Mailbox::of(email).named(name)))
}

fn confirmation(order: &Order) -> Option<Notify> {
    let Order {
        id,
        currency,
        total,
        ..
    } = order;
    let mail = Notify::template("order-created")
        .subject(format!("Your order {id}"))
        .text(format!(
            "Thank you for your order {id} of {total} {currency}.\n"
        ));
    order.email.as_ref().map(|email| mail.to(email))
}

fn shipment(order: &Order) -> Option<Notify> {
    let id = &order.id;
    let mail = Notify::template("order-shipped")
        .subject(format!("Your order {id} is on its way"))
        .text(format!("Your order {id} has left our house.\n"));
    order.email.as_ref().map(|email| mail.to(email))
}
