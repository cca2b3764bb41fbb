//! What differs between two manifests, in words that a person can act on.

use std::collections::BTreeMap;

use super::{Instance, Manifest};
use crate::age_file;
use crate::declaration::Holder;
use crate::derive::Label;

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Fleet,
    Environment(Label),
    Group(Label),
    Machine(Label),
    Secret(Label),
    Value(Holder, Label),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fleet => to.write_str("fleet"),
            Self::Environment(name) => write!(to, "environment {name}"),
            Self::Group(name) => write!(to, "group {name}"),
            Self::Machine(name) => write!(to, "machine {name}"),
            Self::Secret(name) => write!(to, "secret {name}"),
            Self::Value(holder, name) => write!(to, "{name} of {holder}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Added,
    Removed,
    Changed,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub subject: Subject,
    pub kind: Kind,
    /// What exactly: `version 1 -> 2`.
    pub what: String,
}

impl Manifest {
    /// What `next` declares otherwise; values, public halves and files are not looked at.
    pub fn declared_changes(&self, next: &Self) -> Vec<Change> {
        let mut found = Found::default();
        found.compare(&Subject::Fleet, "id", &self.fleet, &next.fleet);
        found.compare(&Subject::Fleet, "epoch", &self.epoch, &next.epoch);
        found.compare(&Subject::Fleet, "admin generation", &self.admin.generation, &next.admin.generation);
        found.compare(
            &Subject::Fleet,
            "recovery",
            &age_file::joined(&self.recovery),
            &age_file::joined(&next.recovery),
        );
        let signers =
            |manifest: &Self| manifest.signers.iter().map(crate::Signer::as_str).collect::<Vec<_>>().join(", ");
        found.compare(&Subject::Fleet, "signers", &signers(self), &signers(next));
        found.maps(&self.environments, &next.environments, Subject::Environment, |found, subject, before, after| {
            found.compare(subject, "generation", &before.generation, &after.generation);
        });
        found.maps(&self.groups, &next.groups, Subject::Group, |found, subject, before, after| {
            found.compare(
                subject,
                "environment",
                &shown(before.environment.as_ref()),
                &shown(after.environment.as_ref()),
            );
            found.compare(subject, "generation", &before.generation, &after.generation);
            found.compare(subject, "members", &names(&before.members), &names(&after.members));
        });
        found.maps(&self.machines, &next.machines, Subject::Machine, |found, subject, before, after| {
            found.compare(
                subject,
                "environment",
                &shown(before.environment.as_ref()),
                &shown(after.environment.as_ref()),
            );
            found.compare(subject, "generation", &before.generation, &after.generation);
            found.compare(subject, "groups", &names(&before.groups), &names(&after.groups));
            let recipients = (age_file::joined(&before.recipients), age_file::joined(&after.recipients));
            found.compare(subject, "recipients", &recipients.0, &recipients.1);
        });
        found.maps(&self.secrets, &next.secrets, Subject::Secret, |found, subject, before, after| {
            found.compare(subject, "type", &before.type_id, &after.type_id);
            let parameters = |entry: &super::SecretEntry| serde_json::to_string(&entry.parameters).unwrap_or_default();
            found.compare(subject, "parameters", &parameters(before), &parameters(after));
            found.compare(subject, "scope", &before.scope, &after.scope);
            found.compare(subject, "groups", &names(&before.groups), &names(&after.groups));
            found.compare(subject, "version", &before.version, &after.version);
            found.compare(subject, "owner", &before.owner, &after.owner);
            found.compare(subject, "group", &before.group, &after.group);
            found.compare(subject, "mode", &before.mode, &after.mode);
            found.compare(subject, "units", &before.units.join(", "), &after.units.join(", "));
            found.compare(subject, "file", &before.file, &after.file);
            found.compare(subject, "keep_previous", &before.keep_previous, &after.keep_previous);
            found.compare(subject, "provider", &shown(before.provider.as_ref()), &shown(after.provider.as_ref()));
        });
        self.instances(next, &mut found);
        found.0
    }

    fn instances(&self, next: &Self, found: &mut Found) {
        let empty = BTreeMap::new();
        let holders = self.holders().chain(next.holders()).collect::<std::collections::BTreeSet<_>>();
        for holder in holders {
            let (before, after) = (self.values(&holder).unwrap_or(&empty), next.values(&holder).unwrap_or(&empty));
            let subject = |name: Label| Subject::Value(holder.clone(), name);
            found.maps(before, after, subject, |_, _, _, _| {});
        }
    }

    /// Values, public halves and derived recipients that are otherwise in `computed`; both have the same shape.
    pub fn drift(&self, computed: &Self) -> Vec<Change> {
        let mut found = Found::default();
        for holder in self.holders() {
            let (Some(before), Some(after)) = (self.values(&holder), computed.values(&holder)) else { continue };
            if self.recipient(&holder) != computed.recipient(&holder) {
                let name = |manifest: &Self| shown(manifest.recipient(&holder));
                let subject = match &holder {
                    Holder::Admin => Subject::Fleet,
                    Holder::Group(label) => Subject::Group(label.clone()),
                    Holder::Machine(label) => Subject::Machine(label.clone()),
                };
                found.compare(&subject, "derived recipient", &name(self), &name(computed));
            }
            let subject = |name: Label| Subject::Value(holder.clone(), name);
            found.maps(before, after, subject, |found, subject, before: &Instance, after: &Instance| {
                found.compare(subject, "check value", &shown(before.check.as_ref()), &shown(after.check.as_ref()));
                if before.public != after.public {
                    found.add(subject, Kind::Changed, "public half is another one".to_owned());
                }
            });
        }
        found.0
    }
}

fn shown<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn names(labels: &[Label]) -> String {
    labels.iter().map(Label::as_str).collect::<Vec<_>>().join(", ")
}

#[derive(Default)]
struct Found(Vec<Change>);

impl Found {
    fn add(&mut self, subject: &Subject, kind: Kind, what: String) {
        self.0.push(Change { subject: subject.clone(), kind, what });
    }

    fn compare<T: PartialEq + ToString>(&mut self, subject: &Subject, name: &str, before: &T, after: &T) {
        if before != after {
            let shown = |value: &T| {
                Some(value.to_string()).filter(|text| !text.is_empty()).unwrap_or_else(|| "none".to_owned())
            };
            self.add(subject, Kind::Changed, format!("{name}: {} -> {}", shown(before), shown(after)));
        }
    }

    fn maps<T>(
        &mut self,
        before: &BTreeMap<Label, T>,
        after: &BTreeMap<Label, T>,
        subject: impl Fn(Label) -> Subject,
        both: impl Fn(&mut Self, &Subject, &T, &T),
    ) {
        for (name, value) in before {
            match after.get(name) {
                None => self.add(&subject(name.clone()), Kind::Removed, String::new()),
                Some(next) => both(self, &subject(name.clone()), value, next),
            }
        }
        for name in after.keys().filter(|name| !before.contains_key(*name)) {
            self.add(&subject(name.clone()), Kind::Added, String::new());
        }
    }
}
