//! Into imgapi, by its documented routes: the manifest, the file, further channels, and last the activation.
//!
//! Each step begins with what the server has, so whatever came between is gone on from: imgapi takes a file whole or not
//! at all, and shows an image to nobody before it is activated.

use std::fs::File;
use std::io::{self, Read};

use aux_core::limits::IMAGE_PUBLISH_ATTEMPTS_MAX;
use aux_io::http::{Method, Response, Url};
use serde_json::{Value, json};

use super::built::Built;
use super::connection::{Connection, document, refused, request};
use super::origins::{Origin, RuleError, check, check_names};
use super::{PublishError, Published, State, Surroundings};
use crate::catalog::is_uuid;

/// An imgapi server, and for whom the image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImgapiTarget {
    pub base: Url,
    /// On whose behalf an image is created (`CreateImage`); the server then gives it a UUID of its own. An operator imports it
    /// (`AdminImportImage`), and it keeps the UUID that it was built with.
    pub account: Option<String>,
    /// The channels it is published to.
    pub channels: Vec<String>,
}

/// Publishes an image, with the rules of channels checked by what the server says.
pub fn to_imgapi(built: &Built, target: &ImgapiTarget, world: &Surroundings<'_>) -> Result<Published, PublishError> {
    check_names(&target.channels)?;
    let server = Server { target, built, connection: Connection::known(target.base.clone(), world) };
    let has_channels = server.check_channels()?;
    server.check_origins(has_channels)?;
    let mut attempt = 1;
    let mut sent_bytes = 0;
    loop {
        match server.advance(has_channels, &mut sent_bytes) {
            Err(error) if error.is_passing() && attempt < IMAGE_PUBLISH_ATTEMPTS_MAX => {
                server.connection.pause(attempt);
                attempt += 1;
            }
            other => return other,
        }
    }
}

struct Server<'s> {
    target: &'s ImgapiTarget,
    built: &'s Built,
    connection: Connection<'s>,
}

/// An image as the server has it.
struct There {
    uuid: String,
    name: String,
    version: String,
    origin: Option<String>,
    is_active: bool,
    channels: Vec<String>,
    /// SHA-1 and bytes of its file.
    file: Option<(String, u64)>,
}

impl There {
    fn read(document: &Value) -> Option<Self> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        let channels = document.get("channels").and_then(Value::as_array).into_iter().flatten();
        let file = document.pointer("/files/0");
        let sha1 = file.and_then(|file| file.get("sha1")).and_then(Value::as_str);
        let bytes = file.and_then(|file| file.get("size")).and_then(Value::as_u64);
        Some(Self {
            uuid: text("uuid").filter(|uuid| is_uuid(uuid))?,
            name: text("name").unwrap_or_default(),
            version: text("version").unwrap_or_default(),
            origin: text("origin"),
            is_active: text("state")? == "active",
            channels: channels.filter_map(|channel| channel.as_str().map(str::to_owned)).collect(),
            file: sha1.map(str::to_owned).zip(bytes),
        })
    }
}

impl Server<'_> {
    fn url(&self, below: &str) -> Result<Url, PublishError> {
        let url = self.target.base.below(below)?;
        Ok(match &self.target.account {
            Some(account) => url.with_parameter("account", account),
            None => url,
        })
    }

    /// Whether the server uses channels, and has those that are meant (`ListChannels`).
    fn check_channels(&self) -> Result<bool, PublishError> {
        let response = self.connection.send(&request(self.target.base.below("channels")?, Method::Get))?;
        let place = self.target.base.to_string();
        if response.is_missing() {
            return match self.target.channels.first() {
                None => Ok(false),
                Some(channel) => Err(RuleError::NoChannels { place, channel: channel.clone() }.into()),
            };
        }
        let known = document(success(response)?)?;
        let known: Vec<&str> =
            known.as_array().into_iter().flatten().filter_map(|one| one.get("name")?.as_str()).collect();
        if self.target.channels.is_empty() {
            return Err(RuleError::WhichChannel { place }.into());
        }
        match self.target.channels.iter().find(|channel| !known.contains(&channel.as_str())) {
            Some(channel) => {
                let (channel, known) = (channel.clone(), aux_core::visible::visible(&known.join(", ")).into_owned());
                Err(RuleError::Unknown { place, channel, known }.into())
            }
            None => Ok(true),
        }
    }

    fn check_origins(&self, has_channels: bool) -> Result<(), PublishError> {
        let place = self.target.base.to_string();
        check(self.built, &self.target.channels, &place, &mut |uuid| {
            Ok(self.image(uuid, has_channels)?.map(|there| Origin {
                name: aux_core::visible::visible(&format!("{}@{}", there.name, there.version)).into_owned(),
                below: there.origin.filter(|origin| is_uuid(origin)),
                channels: has_channels.then_some(there.channels),
                is_active: there.is_active,
            }))
        })
    }

    /// An image by its UUID (`GetImage`), in whichever channel it is.
    fn image(&self, uuid: &str, has_channels: bool) -> Result<Option<There>, PublishError> {
        let url = self.url(&format!("images/{uuid}"))?;
        let url = if has_channels { url.with_parameter("channel", "*") } else { url };
        let response = self.connection.send(&request(url.clone(), Method::Get))?;
        if response.is_missing() {
            return Ok(None);
        }
        there(success(response)?).map(Some)
    }

    /// An image that an account began to create, by name and version (`ListImages`).
    fn begun(&self, has_channels: bool) -> Result<Option<There>, PublishError> {
        let mut url = self.url("images")?.with_parameter("state", "all").with_parameter("name", &self.built.name);
        url = url.with_parameter("version", &self.built.version);
        if has_channels {
            url = url.with_parameter("channel", "*");
        }
        let list = document(success(self.connection.send(&request(url, Method::Get))?)?)?;
        let mut images = list.as_array().into_iter().flatten().filter_map(There::read);
        Ok(images.find(|there| there.name == self.built.name && there.version == self.built.version))
    }

    /// Does what is left to do, from what the server has.
    fn advance(&self, has_channels: bool, sent_bytes: &mut u64) -> Result<Published, PublishError> {
        let found = match self.target.account {
            None => self.image(&self.built.uuid, has_channels)?,
            Some(_) => self.begun(has_channels)?,
        };
        let is_dry_run = self.connection.world.is_dry_run;
        if let Some(there) = &found {
            self.check_same(there)?;
            if there.is_active && self.target.channels.iter().all(|channel| there.channels.contains(channel)) {
                return Ok(self.published(there, State::Present, *sent_bytes));
            }
        }
        if is_dry_run {
            let uuid = found.map_or_else(|| self.built.uuid.clone(), |there| there.uuid);
            return Ok(Published { uuid, ..self.planned() });
        }
        let mut there = match found {
            Some(there) => there,
            None => self.create()?,
        };
        // Every later request names a channel that it is in already.
        let channel = there.channels.first().cloned();
        let wanted = (self.built.file_sha1.clone(), self.built.file_bytes);
        if !there.is_active && there.file.as_ref() != Some(&wanted) {
            there = self.add_file(&there, channel.as_deref())?;
            *sent_bytes += self.built.file_bytes;
            if there.file.as_ref() != Some(&wanted) {
                let found = there
                    .file
                    .map_or_else(|| "no file".to_owned(), |(sha1, bytes)| format!("{bytes} bytes, SHA-1 {sha1}"));
                let wanted = format!("{} bytes, SHA-1 {}", wanted.1, wanted.0);
                return Err(PublishError::Digest { url: self.url(&format!("images/{}", there.uuid))?, wanted, found });
            }
        }
        for added in self.target.channels.iter().filter(|wanted| !there.channels.contains(wanted)) {
            self.act(&there.uuid, "channel-add", channel.as_deref(), &json!({ "channel": added }))?;
        }
        if !there.is_active {
            self.act(&there.uuid, "activate", channel.as_deref(), &Value::Null)?;
        }
        self.verify(&there.uuid, has_channels, *sent_bytes)
    }

    fn planned(&self) -> Published {
        Published {
            place: self.target.base.to_string(),
            state: State::Planned,
            uuid: self.built.uuid.clone(),
            digest: None,
            channels: self.target.channels.clone(),
            sent_bytes: 0,
            present_bytes: 0,
        }
    }

    fn published(&self, there: &There, state: State, sent_bytes: u64) -> Published {
        let present_bytes = if sent_bytes == 0 { self.built.file_bytes } else { 0 };
        let (uuid, channels) = (there.uuid.clone(), there.channels.clone());
        Published { state, uuid, channels, sent_bytes, present_bytes, ..self.planned() }
    }

    /// What is there under its UUID, or its name, must be this image.
    fn check_same(&self, there: &There) -> Result<(), PublishError> {
        let built = self.built;
        let is_file = there.file.as_ref().is_none_or(|file| *file == (built.file_sha1.clone(), built.file_bytes));
        let is_same = there.name == built.name && there.version == built.version && there.origin == built.origin;
        // A file of an image that is not active may be what an interrupted upload of another build left.
        if is_same && (is_file || !there.is_active) {
            return Ok(());
        }
        Err(PublishError::Exists { place: format!("{}images/{}", self.target.base, there.uuid) })
    }

    /// Creates the image, not activated (`AdminImportImage`, or `CreateImage` on behalf of an account).
    fn create(&self) -> Result<There, PublishError> {
        let mut manifest = self.built.manifest.clone();
        if let Some(object) = manifest.as_object_mut() {
            // What the server decides by itself is not told.
            for key in ["state", "files", "channels"] {
                object.remove(key);
            }
            if let Some(account) = &self.target.account {
                object.remove("uuid");
                object.insert("owner".to_owned(), json!(account));
            }
        }
        let channel = self.target.channels.first().map(String::as_str);
        if self.target.account.is_none() {
            return self.act(&self.built.uuid, "import", channel, &manifest);
        }
        let url = with_channel(self.url("images")?, channel);
        there(success(self.connection.once(&post(url, &manifest))?)?)
    }

    /// `AddImageFile`: the file as it is, with what it must be.
    fn add_file(&self, there_before: &There, channel: Option<&str>) -> Result<There, PublishError> {
        let built = self.built;
        let url = self.url(&format!("images/{}/file", there_before.uuid))?;
        let url = url.with_parameter("compression", "gzip").with_parameter("sha1", &built.file_sha1);
        let request = request(with_channel(url, channel), Method::Put { body: Vec::new() });
        let request = request.header("Content-Type", "application/octet-stream");
        let progress = self.connection.world.progress;
        let open = || -> Result<Box<dyn Read + '_>, PublishError> {
            let file = File::open(&built.file).map_err(|cause| PublishError::Io { path: built.file.clone(), cause })?;
            Ok(Box::new(Counted { file, progress }))
        };
        there(success(self.connection.upload(&request, &open, built.file_bytes)?)?)
    }

    /// One of the actions on an image.
    fn act(&self, uuid: &str, action: &str, channel: Option<&str>, body: &Value) -> Result<There, PublishError> {
        let url = self.url(&format!("images/{uuid}"))?.with_parameter("action", action);
        there(success(self.connection.once(&post(with_channel(url, channel), body))?)?)
    }

    /// What the server says afterwards must be what was meant.
    fn verify(&self, uuid: &str, has_channels: bool, sent_bytes: u64) -> Result<Published, PublishError> {
        let url = self.url(&format!("images/{uuid}"))?;
        let there = self
            .image(uuid, has_channels)?
            .ok_or_else(|| PublishError::answer(&url, "is gone after its activation"))?;
        let found = there.file.clone().unwrap_or_default();
        if found != (self.built.file_sha1.clone(), self.built.file_bytes) {
            let (wanted, found) = (format!("SHA-1 {}", self.built.file_sha1), format!("SHA-1 {}", found.0));
            return Err(PublishError::Digest { url, wanted, found });
        }
        if !there.is_active {
            return Err(PublishError::answer(&url, "is not active after its activation"));
        }
        match self.target.channels.iter().find(|channel| !there.channels.contains(channel)) {
            Some(channel) => {
                Err(PublishError::answer(&url, format!("is not in channel {channel} after it was added to it")))
            }
            None => Ok(self.published(&there, State::Published, sent_bytes)),
        }
    }
}

fn with_channel(url: Url, channel: Option<&str>) -> Url {
    match channel {
        Some(channel) => url.with_parameter("channel", channel),
        None => url,
    }
}

fn post(url: Url, body: &Value) -> aux_io::http::Request {
    // A value always serializes.
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap_or_default() };
    request(url, Method::Post { body }).header("Content-Type", "application/json")
}

fn success(response: Response) -> Result<Response, PublishError> {
    if response.is_success() { Ok(response) } else { Err(refused(response)) }
}

fn there(response: Response) -> Result<There, PublishError> {
    let url = response.url.clone();
    There::read(&document(response)?)
        .ok_or_else(|| PublishError::answer(&url, "answers with something that is no image"))
}

/// Tells of bytes as they are read.
struct Counted<'c> {
    file: File,
    progress: &'c dyn Fn(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        (self.progress)(length as u64);
        Ok(length)
    }
}
