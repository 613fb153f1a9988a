//! The first line of a file: which kind of rows it has, and where each column stands.
//!
//! Pure: knows the names of columns and nothing of their content.

use csv_async::ByteRecord;

use crate::customer::Customer;
use crate::order::Order;
use crate::record::Record;

/// The column that every kind of file may have.
pub(crate) const TENANT: &str = "tenant";

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Customers,
    Orders,
}

/// The columns of one file.
#[derive(Debug)]
pub(crate) struct Header {
    names: Vec<String>,
    kind: Kind,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Customers, Self::Orders];

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Customers => Customer::COLUMNS,
            Self::Orders => Order::COLUMNS,
        }
    }
}

impl Header {
    /// Reads the first line; the error says which lines are known.
    pub(crate) fn of(record: &ByteRecord) -> Result<Self, String> {
        let names: Vec<String> = record
            .iter()
            .map(|cell| {
                String::from_utf8_lossy(cell)
                    .trim_start_matches('\u{feff}')
                    .trim()
                    .to_lowercase()
            })
            .collect();
        let has = |column: &&str| names.iter().any(|name| name == column);
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.columns().iter().all(&has));
        let Some(kind) = kind else {
            return Err(unknown(&names));
        };
        let header = Self { names, kind };
        match header.twice() {
            Some(name) => Err(format!(
                "the column {name} is there twice; rename one of them"
            )),
            None => Ok(header),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn width(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Where a column stands.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        self.names.iter().position(|name| name == column)
    }

    /// Columns that nothing is taken from.
    pub(crate) fn ignored(&self) -> Vec<&str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| !self.is_known(name)).collect()
    }

    fn is_known(&self, name: &str) -> bool {
        name == TENANT || self.kind.columns().contains(&name)
    }

    fn twice(&self) -> Option<&str> {
        let is_again = |(place, name): &(usize, &String)| {
            self.is_known(name) && self.place(name) != Some(*place)
        };
        self.names
            .iter()
            .enumerate()
            .find(is_again)
            .map(|(_, name)| name.as_str())
    }
}

fn unknown(names: &[String]) -> String {
    let known = Kind::ALL.map(|kind| format!("`{}`", kind.columns().join(",")));
    format!(
        "its first line is `{}`; it has to name the columns {}",
        names.join(","),
        known.join(" or ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(line: &str) -> Result<Header, String> {
        Header::of(&ByteRecord::from(line.split(',').collect::<Vec<_>>()))
    }

    #[test]
    fn the_columns_tell_the_kind_in_any_order() {
        let customers = header("\u{feff}Country,city, id,email,name,tenant,note").unwrap();
        assert_eq!(
            (customers.kind(), customers.place("id")),
            (Kind::Customers, Some(2))
        );
        assert_eq!(customers.ignored(), ["note"]);
        let orders =
            header("id,customer,status,ordered_at,required_at,shipped_at,currency,total").unwrap();
        assert_eq!((orders.kind(), orders.width()), (Kind::Orders, 8));
    }

    #[test]
    fn a_wrong_header_says_what_to_write() {
        for (line, words) in [
            ("", "id,name,email"),
            ("id;name;email;city;country", "id,customer,status"),
            ("id,name,email,city", "it has to name"),
            ("id,name,email,city,country,name", "name is there twice"),
        ] {
            let error = header(line).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
