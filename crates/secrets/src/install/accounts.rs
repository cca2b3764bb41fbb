//! Users and groups of this system, by name: as `passwd(5)` and `group(5)` write them.

use std::collections::BTreeMap;

/// Numbers of users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

impl Accounts {
    /// The accounts of the two files' texts. Lines that are none are passed over, as the C library does.
    pub fn read(passwd: &str, group: &str) -> Self {
        Self { users: numbers(passwd), groups: numbers(group) }
    }

    /// A user's number; a name that is a number, and nobody's name, is that number.
    pub fn user(&self, name: &str) -> Option<u32> {
        number(&self.users, name)
    }

    /// A group's number, likewise.
    pub fn group(&self, name: &str) -> Option<u32> {
        number(&self.groups, name)
    }
}

/// Of both files the first field is the name, the third the number.
fn numbers(text: &str) -> BTreeMap<String, u32> {
    let mut numbers = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse)) {
            // Of two lines with one name, the first counts.
            numbers.entry(name.to_owned()).or_insert(number);
        }
    }
    numbers
}

/// The last number means "leave as it is" to chown(2), so it is nobody's.
fn number(numbers: &BTreeMap<String, u32>, name: &str) -> Option<u32> {
    let known = numbers.get(name).copied().or_else(|| name.parse().ok());
    known.filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_numbers_by_name_or_by_themselves() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\n+nis\nbroken:x:y\ndb:x:70:71::/:/bin/false\ndb:x:99:9::/:\n";
        let accounts = Accounts::read(passwd, "root:x:0:\nkeys:x:96:db\n");
        assert_eq!(accounts.user("db"), Some(70));
        assert_eq!(accounts.user("1000"), Some(1000));
        assert_eq!(accounts.group("keys"), Some(96));
        for name in ["nobody", "", "broken", "-1", "4294967295"] {
            assert_eq!(accounts.user(name), None, "{name}");
        }
    }
}
