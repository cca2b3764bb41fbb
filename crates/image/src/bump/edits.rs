//! What a bump changes in one repository: pure, from its files, its pins and the goal to new bytes, or a reason not to.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Image;
use crate::make::Text;
use crate::pins::tools::{self, Map};
use crate::pins::{Pin, PinKind, Pins, Snapshot};

use super::{Edit, Goal, Step};

/// The build tools as a component may point at them.
pub struct Tools<'t> {
    /// The revision that knows the image; the reason where there is none.
    pub revision: Result<String, String>,
    /// Whether build tools at a revision know the image; `None` where nobody can say.
    pub knows: &'t dyn Fn(&str) -> Option<bool>,
}

/// New bytes of files, new revisions of submodules, and what they come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub files: BTreeMap<String, Vec<u8>>,
    pub submodules: BTreeMap<String, String>,
    /// In the order of the steps.
    pub edits: Vec<Edit>,
    pub notes: Vec<String>,
}

/// Plans a repository's part of the change; an error is the precondition that is missing.
pub fn plan(snapshot: &Snapshot<'_>, pins: &Pins, goal: &Goal<'_>, tools: &Tools<'_>) -> Result<Plan, String> {
    let mut planner = Planner { snapshot, goal, plan: Plan::default(), replacements: BTreeMap::new() };
    planner.maps()?;
    let old = planner.images(pins)?;
    if !old.is_empty() {
        planner.packages(pins, &old)?;
        planner.jenkins(pins, &old)?;
    }
    planner.dockerfiles(pins);
    planner.flakes(pins)?;
    if !old.is_empty() {
        planner.submodules(pins, tools)?;
        if !planner.plan.edits.is_empty() {
            planner.known_by_tools()?;
        }
    }
    if !planner.plan.edits.is_empty() {
        super::channel_refusal(goal).map_or(Ok(()), Err)?;
    }
    planner.write()?;
    let mut plan = planner.plan;
    plan.edits.sort();
    Ok(plan)
}

struct Planner<'p> {
    snapshot: &'p Snapshot<'p>,
    goal: &'p Goal<'p>,
    plan: Plan,
    /// By file: where, and what comes there.
    replacements: BTreeMap<String, Vec<(std::ops::Range<usize>, String)>>,
}

impl Planner<'_> {
    fn replace(&mut self, pin: &Pin, to: &str) {
        if pin.value == to {
            return;
        }
        self.plan.edits.push(Edit {
            step: Step::of(pin.kind),
            file: pin.file.clone(),
            line: Some(pin.line),
            name: pin.name.clone(),
            from: Some(pin.value.clone()),
            to: to.to_owned(),
        });
        self.replacements.entry(pin.file.clone()).or_default().push((pin.span.clone(), to.to_owned()));
    }

    /// Step 1: the maps of the build tools learn the image and the one that node is built on.
    fn maps(&mut self) -> Result<(), String> {
        let snapshot = self.snapshot;
        for path in snapshot.files.iter().filter(|path| path.rsplit('/').next() == Some("validate-buildenv.sh")) {
            let Some(bytes) = (snapshot.read)(path)? else { continue };
            let text = Text::read(&bytes);
            let maps = tools::maps(&text.text);
            if maps.is_empty() {
                continue;
            }
            let image = self.goal.image;
            for name in tools::NAMES {
                let map = maps.iter().find(|map| map.name == name);
                let map = map.ok_or_else(|| format!("{path} has no {name}, which must know an image"))?;
                let value = self.map_value(name, &image.uuid);
                let value = value.ok_or_else(|| {
                    format!("nobody says what {name} should hold for {}: add it to the catalog", image.uuid)
                })?;
                self.entry((path, &text.text), map, &image.uuid, &value)?;
                let origin = image.origin.as_deref().filter(|origin| self.goal.catalog.maps_hold(name, origin));
                if let Some((origin, value)) = origin.and_then(|origin| Some((origin, self.map_value(name, origin)?))) {
                    self.entry((path, &text.text), map, origin, &value)?;
                }
            }
            if let Some(branch) = &image.branch
                && !text.text.contains(&format!("PKGSRC_PKGS_{branch}="))
            {
                self.plan.notes.push(format!("{path} has no PKGSRC_PKGS_{branch}: say what build machines must have"));
            }
        }
        Ok(())
    }

    fn map_value(&self, name: &str, uuid: &str) -> Option<String> {
        let maps = &self.goal.catalog.maps;
        let image = self.goal.catalog.by_uuid(uuid);
        match name {
            "PKGSRC_MAP" => maps.pkgsrc.get(uuid).cloned().or_else(|| image?.branch.clone()),
            "SDC_MAP" => maps.sdc.get(uuid).cloned().or_else(|| image.map(Image::whole_name)),
            _ => maps.jenkins_agent.get(uuid).cloned(),
        }
    }

    fn entry(&mut self, (path, text): (&str, &str), map: &Map, uuid: &str, value: &str) -> Result<(), String> {
        match map.entries.get(uuid) {
            Some(known) if known == value => return Ok(()),
            Some(known) => {
                let name = &map.name;
                return Err(format!("{path}: {name} says {known} for {uuid}, and the catalog says {value}"));
            }
            None => {}
        }
        if value.contains(|one: char| one.is_whitespace() || one.is_control() || "()[]'\"$`\\;&|<>".contains(one)) {
            return Err(format!("`{value}` can stand in no map of a shell script"));
        }
        self.plan.edits.push(Edit {
            step: Step::Maps,
            file: path.to_owned(),
            line: Some(aux_core::line_of(text, map.end)),
            name: map.name.clone(),
            from: None,
            to: format!("[{uuid}]={value}"),
        });
        let line = format!("{}[{uuid}]={value}\n", map.indent);
        self.replacements.entry(path.to_owned()).or_default().push((map.end..map.end, line));
        Ok(())
    }

    /// Step 3: both images. Gives the base images that were pinned; empty where there is nothing to bump.
    fn images(&mut self, pins: &Pins) -> Result<BTreeSet<String>, String> {
        let old: BTreeSet<String> = values(pins, PinKind::BaseImage);
        for uuid in &old {
            self.not_newer(uuid)?;
        }
        for pin in of(pins, PinKind::BaseImage).filter(|pin| old.contains(&pin.value.to_ascii_lowercase())) {
            self.replace(pin, &self.goal.image.uuid.clone());
            self.comments(pin, self.goal.image)?;
        }
        let nodes = values(pins, PinKind::NodePrebuilt);
        for pin in of(pins, PinKind::NodePrebuilt).filter(|pin| nodes.contains(&pin.value.to_ascii_lowercase())) {
            let uuid = pin.value.to_ascii_lowercase();
            if old.is_empty() || self.is_on_branch(&uuid) {
                continue;
            }
            let to = if old.contains(&uuid) { self.goal.image.uuid.clone() } else { self.node_image(&uuid)? };
            self.replace(pin, &to);
            if let Some(image) = self.goal.catalog.by_uuid(&to) {
                self.comments(pin, image)?;
            }
        }
        Ok(old)
    }

    fn is_on_branch(&self, uuid: &str) -> bool {
        let branch = self.goal.catalog.branch_of(uuid);
        branch.is_some() && branch == self.goal.image.branch.as_deref()
    }

    fn not_newer(&self, uuid: &str) -> Result<(), String> {
        let goal = self.goal.image;
        let Some(current) = self.goal.catalog.by_uuid(uuid) else { return Ok(()) };
        if current.published > goal.published && goal.published.is_some() {
            return Err(format!("it is on {}, which is newer than {}", current.whole_name(), goal.whole_name()));
        }
        Ok(())
    }

    /// The image that `NODE_PREBUILT_IMAGE` names beside the goal: another one, of the same branch.
    fn node_image(&self, current: &str) -> Result<String, String> {
        let goal = self.goal.image;
        let catalog = self.goal.catalog;
        if let Some(uuid) = &goal.node_prebuilt {
            return Ok(uuid.clone());
        }
        if let Some(origin) = goal.origin.as_ref().filter(|origin| self.is_on_branch(origin)) {
            return Ok(origin.clone());
        }
        let family = catalog.by_uuid(current).map(Image::family);
        let others =
            || catalog.images().iter().rev().filter(|image| image.uuid != goal.uuid && self.is_on_branch(&image.uuid));
        let same = others().find(|image| family == Some(image.family()));
        if let Some(image) = same.or_else(|| others().find(|image| image.family() != goal.family())) {
            return Ok(image.uuid.clone());
        }
        let branch = goal.branch.as_deref().unwrap_or("an unnamed branch");
        Err(format!("the catalog knows no image of {branch} for NODE_PREBUILT_IMAGE: name one as node_prebuilt"))
    }

    /// Where the build tools' maps are told, they must tell this image too.
    fn known_by_tools(&self) -> Result<(), String> {
        for (name, map) in self.goal.catalog.maps.named() {
            if !map.is_empty() && !map.contains_key(&self.goal.image.uuid) {
                return Err(format!("{name} of the build tools does not know {}", self.goal.image.uuid));
            }
        }
        Ok(())
    }

    /// Comments beside a pin that name the image it was; a name that stays would lie.
    fn comments(&mut self, pin: &Pin, to: &Image) -> Result<(), String> {
        let catalog = self.goal.catalog;
        let uuid = pin.value.to_ascii_lowercase();
        let by_map = || {
            let whole = catalog.maps.sdc.get(&uuid)?;
            Some((whole.clone(), whole.split('@').next().unwrap_or(whole).to_owned()))
        };
        let names = catalog.by_uuid(&uuid).map(|from| (from.whole_name(), from.name.clone())).or_else(by_map);
        let Some((whole, name)) = names.filter(|_| uuid != to.uuid) else { return Ok(()) };
        let Some(bytes) = (self.snapshot.read)(&pin.file)? else { return Ok(()) };
        let text = Text::read(&bytes);
        for place in &pin.comments {
            let there = text.text.get(place.clone()).unwrap_or_default();
            let mut changed = replaced(there, &whole, &to.whole_name());
            if changed == there {
                changed = replaced(there, &name, &to.name);
            }
            if changed != there {
                self.replacements.entry(pin.file.clone()).or_default().push((place.clone(), changed));
            }
        }
        Ok(())
    }

    /// Step 4: exact packages that the branch does not have.
    fn packages(&mut self, pins: &Pins, old: &BTreeSet<String>) -> Result<(), String> {
        let goal = self.goal.image;
        let packages: Vec<&Pin> = of(pins, PinKind::Package).filter(|pin| pin.is_active != Some(false)).collect();
        let is_same_branch = old.iter().all(|uuid| self.is_on_branch(uuid));
        let (Some(first), false) = (packages.first(), is_same_branch) else { return Ok(()) };
        let branch = goal.branch.as_deref().unwrap_or("its branch");
        let summary = self.goal.summary.ok_or_else(|| {
            format!(
                "{} pins {}, and nobody said which packages {branch} has: name its pkg_summary with --summary",
                first.name, first.value
            )
        })?;
        for pin in packages {
            let Some((name, version)) = pin.value.rsplit_once('-') else { continue };
            let named = summary.named(name);
            if named.iter().any(|package| package.version == version) {
                continue;
            }
            let newest =
                named.last().ok_or_else(|| format!("{branch} has no package {name}, which {} pins", pin.name))?;
            self.replace(pin, &newest.full_name());
        }
        Ok(())
    }

    /// Step 5: the labels of build machines.
    fn jenkins(&mut self, pins: &Pins, old: &BTreeSet<String>) -> Result<(), String> {
        let goal = self.goal.image;
        let versions = values(pins, PinKind::JenkinsImage);
        if !versions.is_empty() {
            let to = goal.jenkins_version();
            let to = to.ok_or_else(|| format!("nobody says what image_ver: is for {}", goal.whole_name()))?;
            let before: BTreeSet<String> =
                old.iter().filter_map(|uuid| self.goal.catalog.by_uuid(uuid)?.jenkins_version()).collect();
            let is_meant = |value: &str| versions.len() == 1 || before.contains(value) || value == to;
            if !versions.iter().any(|value| is_meant(value)) {
                let all = versions.iter().cloned().collect::<Vec<_>>().join(", ");
                return Err(format!("its Jenkinsfile names image_ver {all}, and none is the old image's"));
            }
            for pin in of(pins, PinKind::JenkinsImage).filter(|pin| is_meant(&pin.value)) {
                self.replace(pin, &to);
            }
        }
        for pin in of(pins, PinKind::JenkinsPlatform) {
            match &goal.platform {
                Some(platform) => self.replace(pin, platform),
                None => self.plan.notes.push(format!("{}:{} pi: stays, the catalog names none", pin.file, pin.line)),
            }
        }
        Ok(())
    }

    /// The digest of the image that a Dockerfile begins with, where the catalog knows both.
    fn dockerfiles(&mut self, pins: &Pins) {
        let Some(digest) = self.goal.image.digest.clone() else { return };
        let family = self.goal.image.family();
        let known: Vec<&str> = self
            .goal
            .catalog
            .images()
            .iter()
            .filter(|image| image.family() == family)
            .filter_map(|image| image.digest.as_deref())
            .collect();
        for pin in of(pins, PinKind::Dockerfile).filter(|pin| known.contains(&pin.value.as_str())) {
            self.replace(pin, &digest);
        }
    }

    /// The inputs of a flake.lock that name the flake of another image of the family. What nix alone could compute is not
    /// guessed: without it the repository stays as it is.
    fn flakes(&mut self, pins: &Pins) -> Result<(), String> {
        let goal = self.goal.image;
        let family: Vec<&Image> =
            self.goal.catalog.images().iter().filter(|image| image.family() == goal.family()).collect();
        for pin in of(pins, PinKind::FlakeInput) {
            let known = |image: &&&Image| image.flake.as_ref().is_some_and(|flake| flake.revision == pin.value);
            let Some(from) = family.iter().find(known) else { continue };
            if from.uuid == goal.uuid {
                continue;
            }
            self.not_newer(&from.uuid)?;
            let place = format!("{}:{} pins {} of {}", pin.file, pin.line, pin.name, from.whole_name());
            let flake = goal.flake.as_ref();
            let flake =
                flake.ok_or_else(|| format!("{place}, and the catalog names no flake for {}", goal.whole_name()))?;
            let hash = flake.nar_hash.as_ref().ok_or_else(|| {
                format!("{place}, and the catalog names no nar_hash: `nix flake update {}` computes it", pin.name)
            })?;
            let Some(bytes) = (self.snapshot.read)(&pin.file)? else { continue };
            let text = Text::read(&bytes);
            let locked = locked(&text.text, pin.span.start)
                .ok_or_else(|| format!("{place}, and it is not written as nix writes it"))?;
            let hash_place = value(&text.text, &locked, "narHash")
                .filter(|place| text.text.get(place.clone()).is_some_and(|old| old.starts_with('"')));
            let hash_place =
                hash_place.ok_or_else(|| format!("{place}, without the hash that nix writes beside it"))?;
            self.replace(pin, &flake.revision);
            let replacements = self.replacements.entry(pin.file.clone()).or_default();
            replacements.push((hash_place, format!("\"{hash}\"")));
            match (value(&text.text, &locked, "lastModified"), flake.last_modified) {
                (Some(place), Some(moment)) => replacements.push((place, moment.to_string())),
                (Some(_), None) => return Err(format!("{place}, and the catalog names no last_modified")),
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Step 2: the submodule points at build tools that know the image.
    fn submodules(&mut self, pins: &Pins, tools: &Tools<'_>) -> Result<(), String> {
        for pin in of(pins, PinKind::Submodule) {
            if (tools.knows)(&pin.value) == Some(true) {
                continue;
            }
            let to = match &tools.revision {
                Ok(revision) => revision.clone(),
                // Nothing else is to be done here, so nothing waits for the tools.
                Err(_) if self.plan.edits.is_empty() => continue,
                Err(reason) => return Err(format!("{}: {reason}", pin.file)),
            };
            if pin.value != to {
                self.plan.edits.push(Edit {
                    step: Step::Tools,
                    file: pin.file.clone(),
                    line: None,
                    name: pin.name.clone(),
                    from: Some(pin.value.clone()),
                    to: to.clone(),
                });
                self.plan.submodules.insert(pin.file.clone(), to);
            }
        }
        Ok(())
    }

    /// Puts all replacements into their files.
    fn write(&mut self) -> Result<(), String> {
        for (path, mut replacements) in std::mem::take(&mut self.replacements) {
            let bytes = (self.snapshot.read)(&path)?.ok_or_else(|| format!("{path} is not there any more"))?;
            let text = Text::read(&bytes);
            let mut changed = text.text.clone();
            replacements.sort_by_key(|(place, _)| (place.start, place.end));
            // One comment may stand beside two pins.
            replacements.dedup();
            // From the end, so that places in front stay where they are.
            for (place, to) in replacements.into_iter().rev() {
                if changed.get(place.clone()).is_some() {
                    changed.replace_range(place, &to);
                }
            }
            if changed != text.text {
                self.plan.files.insert(path, text.bytes_of(&changed));
            }
        }
        Ok(())
    }
}

/// A text with an image's name replaced, where it stands on its own.
fn replaced(text: &str, from: &str, to: &str) -> String {
    if from.is_empty() {
        return text.to_owned();
    }
    let is_joined = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '_';
    let mut changed = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(from) {
        let (before, after) =
            (rest.get(..place).unwrap_or_default(), rest.get(place + from.len()..).unwrap_or_default());
        let goes_on = after.strip_prefix(['.', '@']).unwrap_or(after).starts_with(is_joined);
        let is_whole = !before.ends_with(is_joined) && !goes_on;
        changed.push_str(before);
        changed.push_str(if is_whole { to } else { from });
        rest = after;
    }
    changed + rest
}

/// The object without objects in it that a place of a JSON text lies in.
fn locked(text: &str, place: usize) -> Option<std::ops::Range<usize>> {
    let start = text.get(..place)?.rfind('{')?;
    let end = place + text.get(place..)?.find('}')?;
    let is_flat = !text.get(start + 1..place)?.contains('}') && !text.get(place..end)?.contains('{');
    is_flat.then_some(start..end)
}

/// Where the value of a key stands in a flat object.
fn value(text: &str, object: &std::ops::Range<usize>, key: &str) -> Option<std::ops::Range<usize>> {
    let inside = text.get(object.clone())?;
    let quoted = format!("\"{key}\"");
    let after = inside.find(&quoted)? + quoted.len();
    let colon = after + inside.get(after..)?.find(':')? + 1;
    let rest = inside.get(colon..)?;
    let start = colon + rest.len() - rest.trim_start().len();
    let value = inside.get(start..)?;
    let length = match value.strip_prefix('"') {
        Some(text) => text.find('"')? + 2,
        None => value.find([',', '\n', '\r', ' ']).unwrap_or(value.len()),
    };
    Some(object.start + start..object.start + start + length)
}

fn of(pins: &Pins, kind: PinKind) -> impl Iterator<Item = &Pin> {
    pins.pins.iter().filter(move |pin| pin.kind == kind)
}

/// The values that hold where the build runs; a branch that is not taken there is changed only with them.
fn values(pins: &Pins, kind: PinKind) -> BTreeSet<String> {
    of(pins, kind).filter(|pin| pin.is_active != Some(false)).map(|pin| pin.value.to_ascii_lowercase()).collect()
}
