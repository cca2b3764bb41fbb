//! The rule of channels: an image and every image it is made from must be in each channel it is published to.

use std::collections::BTreeSet;

use aux_core::limits::IMAGE_ORIGINS_MAX;

use super::PublishError;
use super::built::Built;
use crate::catalog::Catalog;

/// Why an image may not be published there. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("`{0}` is no name of a channel: a small letter, then small letters, digits, dashes and underscores")]
    Name(String),
    #[error("{place} has no channel `{channel}`; it has {known}")]
    Unknown { place: String, channel: String, known: String },
    #[error("{place} uses no channels, and the image is meant for {channel}")]
    NoChannels { place: String, channel: String },
    #[error("{place} uses channels, and nobody said which the image is for")]
    WhichChannel { place: String },
    #[error("{place} does not know {uuid}, which the image is made from")]
    Missing { place: String, uuid: String },
    #[error("{name} ({uuid}), which the image is made from, is in {} and not in {channel}", shown(channels))]
    Outside { name: String, uuid: String, channel: String, channels: Vec<String> },
    #[error("{name} ({uuid}), which the image is made from, is not active there")]
    Inactive { name: String, uuid: String },
    #[error("the images it is made from go in a circle at {0}")]
    Circle(String),
    #[error("it has more than {IMAGE_ORIGINS_MAX} images below it (IMAGE_ORIGINS_MAX)")]
    TooLong,
    #[error("the image is made from {0}, and without a catalog nobody can say in which channels that is")]
    NoCatalog(String),
}

impl RuleError {
    /// Whether somebody knows that the answer is no, in contrast to nobody being able to say.
    pub fn is_no(&self) -> bool {
        !matches!(self, Self::Name(_) | Self::NoCatalog(_) | Self::WhichChannel { .. })
    }

    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Name(_) | Self::Unknown { .. } | Self::NoChannels { .. } | Self::WhichChannel { .. } => {
                "nothing was sent; name a channel that is there with --channel"
            }
            Self::Missing { .. } | Self::Inactive { .. } => {
                "nothing was sent; publish and activate the image it is made from first"
            }
            Self::Outside { .. } => "nothing was sent; add the image it is made from to the channel first",
            Self::Circle(_) | Self::TooLong => "nothing was sent; the origins of its images are wrong there",
            Self::NoCatalog(_) => "nothing was sent; name one with --catalog FILE (docs/formats/image-catalog.md)",
        }
    }
}

/// An image that another is made from, as a catalog or a server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) name: String,
    /// What it is made from in turn.
    pub(super) below: Option<String>,
    /// `None` where the server has no channels.
    pub(super) channels: Option<Vec<String>>,
    pub(super) is_active: bool,
}

/// Checks the names of channels.
pub(super) fn check_names(channels: &[String]) -> Result<(), RuleError> {
    // imgapi's own rule for names.
    let is_sound = |name: &str| {
        name.starts_with(|one: char| one.is_ascii_lowercase())
            && name.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || b"_-".contains(&one))
    };
    match channels.iter().find(|name| !is_sound(name)) {
        Some(wrong) => Err(RuleError::Name(wrong.clone())),
        None => Ok(()),
    }
}

/// Walks from an image's origin down; `look_up` says what `place` knows of a UUID.
pub(super) fn check(
    built: &Built,
    channels: &[String],
    place: &str,
    look_up: &mut dyn FnMut(&str) -> Result<Option<Origin>, PublishError>,
) -> Result<(), PublishError> {
    let mut next = built.origin.clone();
    let mut seen = BTreeSet::from([built.uuid.clone()]);
    while let Some(uuid) = next {
        if !seen.insert(uuid.clone()) {
            return Err(RuleError::Circle(uuid).into());
        }
        if seen.len() > IMAGE_ORIGINS_MAX {
            return Err(RuleError::TooLong.into());
        }
        let Some(origin) = look_up(&uuid)? else {
            return Err(RuleError::Missing { place: place.to_owned(), uuid }.into());
        };
        if !origin.is_active {
            return Err(RuleError::Inactive { name: origin.name, uuid }.into());
        }
        if let Some(known) = &origin.channels
            && let Some(channel) = channels.iter().find(|channel| !known.contains(channel))
        {
            let (channel, channels) = (channel.clone(), known.clone());
            return Err(RuleError::Outside { name: origin.name, uuid, channel, channels }.into());
        }
        next = origin.below;
    }
    Ok(())
}

/// The same by a catalog, for places that know no channels themselves.
pub fn check_catalog(built: &Built, channels: &[String], catalog: Option<&Catalog>) -> Result<(), PublishError> {
    check_names(channels)?;
    let Some(origin) = &built.origin else { return Ok(()) };
    let Some(catalog) = catalog else {
        return if channels.is_empty() { Ok(()) } else { Err(RuleError::NoCatalog(origin.clone()).into()) };
    };
    check(built, channels, "the catalog", &mut |uuid| {
        Ok(catalog.by_uuid(uuid).map(|image| Origin {
            name: image.whole_name(),
            below: image.origin.clone(),
            channels: Some(image.channels.clone()),
            is_active: true,
        }))
    })
}

fn shown(channels: &[String]) -> String {
    if channels.is_empty() { "no channel".to_owned() } else { channels.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a9368831-958e-432d-a031-f8ce6768d190";
    const B: &str = "59ba2e5e-976f-4e09-8aac-a4a7ef0395f5";

    fn catalog(text: &str) -> Catalog {
        Catalog::read(text).unwrap()
    }

    #[test]
    fn every_image_below_must_be_in_the_channel() {
        let built = Built { origin: Some(A.to_owned()), ..Built::example() };
        let text = format!(
            "[[images]]\nname = \"a\"\nuuid = \"{A}\"\norigin = \"{B}\"\nchannels = [\"dev\", \"release\"]\n\
             [[images]]\nname = \"b\"\nuuid = \"{B}\"\nchannels = [\"dev\"]\n"
        );
        let says = |built: &Built, channels: &[&str], text: Option<&str>| {
            let channels: Vec<String> = channels.iter().map(|one| (*one).to_owned()).collect();
            let catalog = text.map(catalog);
            check_catalog(built, &channels, catalog.as_ref()).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(says(&built, &["dev"], Some(&text)), "");
        assert!(says(&built, &["dev", "release"], Some(&text)).contains("b (59ba2e5e"));
        assert!(says(&built, &["dev"], Some(&text.replace(B, "5417ab20-3156-11ea-8b19-2b66f5e7a439"))).is_empty());
        let only_a = text.split("[[images]]\nname = \"b\"").next().unwrap();
        assert!(says(&built, &["dev"], Some(only_a)).contains("does not know 59ba2e5e"));
        let circle = text.replace("channels = [\"dev\"]", &format!("origin = \"{A}\"\nchannels = [\"dev\"]"));
        assert!(says(&built, &["dev"], Some(&circle)).contains("circle"));
        assert!(says(&built, &["dev"], None).contains("without a catalog"));
        assert!(says(&built, &[], None).is_empty() && says(&Built::example(), &["dev"], None).is_empty());
        assert!(says(&built, &["Dev"], Some(&text)).contains("no name of a channel"));
    }
}
