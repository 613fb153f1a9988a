//! The arithmetic of revenue: what changes of customers and orders add to which country and currency.
//!
//! Pure: knows no table. Customers and orders may come in any order, and a customer who moves takes the revenue
//! along.

use std::collections::{BTreeMap, HashMap};

use platform_core::TenantId;
use serde::{Deserialize, Serialize};

use crate::customer::Customer;
use crate::money::Money;
use crate::order::Order;

/// The country of customers who are not known yet, or do not say.
pub(crate) const UNKNOWN: &str = "unknown";

/// Some orders and what they come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) orders: i64,
    pub(crate) total: Money,
}

/// Where a customer lives, and what they ordered in each currency.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Buyer {
    pub(crate) country: Option<String>,
    pub(crate) spent: BTreeMap<String, Sum>,
}

/// A customer: tenant and id.
pub(crate) type BuyerId = (TenantId, String);
/// A line of the read model: tenant, country and currency.
pub(crate) type Line = (TenantId, String, String);

/// What some events change.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Those whom the events concern, as they were before.
    pub(crate) buyers: HashMap<BuyerId, Buyer>,
    /// What is to be added, in an order that is always the same.
    pub(crate) added: BTreeMap<Line, Sum>,
}

/// Two amounts whose sum has more digits than can be kept.
#[derive(Debug, thiserror::Error)]
#[error("a sum of revenue has too many digits; correct the order's total and redrive this event")]
pub(crate) struct TooLarge;

impl Sum {
    pub(crate) const NONE: Self = Self {
        orders: 0,
        total: Money::ZERO,
    };

    pub(crate) fn plus(self, other: Self) -> Result<Self, TooLarge> {
        let total = self.total.plus(other.total).ok_or(TooLarge)?;
        Ok(Self {
            orders: self.orders + other.orders,
            total,
        })
    }

    fn negated(self) -> Self {
        Self {
            orders: -self.orders,
            total: self.total.negated(),
        }
    }
}

impl Buyer {
    fn country(&self) -> &str {
        self.country.as_deref().unwrap_or(UNKNOWN)
    }
}

impl Ledger {
    /// Takes what an order was out, and what it is in.
    pub(crate) fn order(
        &mut self,
        before: Option<&Order>,
        after: Option<&Order>,
    ) -> Result<(), TooLarge> {
        let counted = |order: &&Order| !order.is_cancelled();
        if let Some(order) = before.filter(counted) {
            self.add_order(
                order,
                Sum {
                    orders: 1,
                    total: order.total,
                }
                .negated(),
            )?;
        }
        if let Some(order) = after.filter(counted) {
            self.add_order(
                order,
                Sum {
                    orders: 1,
                    total: order.total,
                },
            )?;
        }
        Ok(())
    }

    fn add_order(&mut self, order: &Order, sum: Sum) -> Result<(), TooLarge> {
        let buyer = self
            .buyers
            .entry((order.tenant.clone(), order.customer.clone()))
            .or_default();
        let spent = buyer
            .spent
            .entry(order.currency.clone())
            .or_insert(Sum::NONE);
        *spent = spent.plus(sum)?;
        let line = (
            order.tenant.clone(),
            buyer.country().to_owned(),
            order.currency.clone(),
        );
        self.add((line, sum))
    }

    /// Moves what a customer ordered to the country where the customer lives now.
    pub(crate) fn customer(&mut self, customer: &Customer) -> Result<(), TooLarge> {
        let buyer = self
            .buyers
            .entry((customer.tenant.clone(), customer.id.clone()))
            .or_default();
        let from = buyer.country().to_owned();
        buyer.country.clone_from(&customer.country);
        let to = buyer.country().to_owned();
        let line = |country: &str, currency: &str| {
            (
                customer.tenant.clone(),
                country.to_owned(),
                currency.to_owned(),
            )
        };
        let moves: Vec<(Line, Sum)> = buyer
            .spent
            .iter()
            .filter(|_| from != to)
            .flat_map(|(currency, sum)| {
                [
                    (line(&from, currency), sum.negated()),
                    (line(&to, currency), *sum),
                ]
            })
            .collect();
        moves.into_iter().try_for_each(|added| self.add(added))
    }

    fn add(&mut self, (line, sum): (Line, Sum)) -> Result<(), TooLarge> {
        let added = self.added.entry(line).or_insert(Sum::NONE);
        *added = added.plus(sum)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: &str, status: &str, total: &str) -> Order {
        Order {
            id: id.into(),
            tenant: TenantId::default(),
            version: 1,
            customer: "C-1".into(),
            email: None,
            status: status.into(),
            ordered_at: None,
            required_at: None,
            shipped_at: None,
            currency: "EUR".into(),
            total: Money::parse(total).unwrap(),
        }
    }

    fn customer(country: &str) -> Customer {
        Customer {
            id: "C-1".into(),
            tenant: TenantId::default(),
            version: 1,
            name: "Ada".into(),
            email: None,
            city: None,
            country: Some(country.into()),
        }
    }

    fn lines(ledger: &Ledger) -> Vec<(&str, i64, String)> {
        let told = |((_, country, _), sum): (&'_ Line, &Sum)| {
            (sum.orders, sum.total.to_string(), country.clone())
        };
        let lines: Vec<_> = ledger.added.iter().map(told).collect();
        let names = ledger.added.keys().map(|(_, country, _)| country.as_str());
        names
            .zip(lines)
            .map(|(name, (orders, total, _))| (name, orders, total))
            .collect()
    }

    #[test]
    fn an_order_counts_until_it_is_cancelled() {
        let mut ledger = Ledger::default();
        let (placed, dearer) = (
            order("O-1", "placed", "10.00"),
            order("O-1", "placed", "12.50"),
        );
        ledger.order(None, Some(&placed)).unwrap();
        ledger.order(Some(&placed), Some(&dearer)).unwrap();
        assert_eq!(lines(&ledger), [(UNKNOWN, 1, "12.50".to_owned())]);
        ledger
            .order(Some(&dearer), Some(&order("O-1", "cancelled", "12.50")))
            .unwrap();
        assert_eq!(lines(&ledger), [(UNKNOWN, 0, "0.00".to_owned())]);
    }

    #[test]
    fn a_customer_who_moves_takes_the_revenue_along() {
        let mut ledger = Ledger::default();
        ledger
            .order(None, Some(&order("O-1", "placed", "10.00")))
            .unwrap();
        ledger.customer(&customer("Norway")).unwrap();
        ledger
            .order(None, Some(&order("O-2", "placed", "0.5")))
            .unwrap();
        ledger.customer(&customer("Peru")).unwrap();
        ledger.customer(&customer("Peru")).unwrap();
        let expected = [
            ("Norway", 0, "0.00"),
            ("Peru", 2, "10.50"),
            (UNKNOWN, 0, "0.00"),
        ];
        assert_eq!(
            lines(&ledger),
            expected.map(|(name, orders, total)| (name, orders, total.to_owned()))
        );
    }
}
