//! `aux image publish`: a built image, put where others fetch it.

use std::path::PathBuf;
use std::time::Duration;

use aux_app::exit;
use aux_core::limits::{IMAGE_CHUNK_BYTES_MIN, IMAGE_PUBLISH_SECONDS_MAX};
use aux_image::publish::{
    self, Built, Credentials, ImgapiTarget, PublishError, Published, RegistryTarget, State, Surroundings, Uploads,
};
use aux_io::http::{HttpClient, Url};
use aux_io::input;
use jiff::SignedDuration;

use super::pins::catalog;
use crate::commands::{environment, network};
use crate::failure::Failure;
use crate::ui::Ui;

/// Publish an image that `aux image build` wrote: into a folder, an OCI registry, or imgapi.
///
/// Checked first: that the image is as it was built, and that every image it is made from is in the channels it goes to. What
/// makes it visible comes last (a rename, a tag, an activation), so nobody ever sees half of it; run again after an
/// interruption, it goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder NAME-VERSION of a built image.
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Where to: a folder, `oci:https://HOST/REPOSITORY[:TAG]`, or `imgapi:https://HOST`.
    #[arg(long, value_name = "PLACE")]
    to: String,
    /// The channels it is for; that of its specification where nothing is said.
    #[arg(long = "channel", value_name = "NAME")]
    channels: Vec<String>,
    /// The images it is made from and their channels, for places that know no channels themselves.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// A file of mode 0600 with USER:PASSWORD or a token.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Certificates in PEM that the server's must be signed by, in place of those that this machine trusts.
    #[arg(long, value_name = "FILE")]
    certificates: Option<PathBuf>,
    /// The account that an imgapi creates the image for; the server then gives it another UUID.
    #[arg(long, value_name = "UUID")]
    account: Option<String>,
    /// Send at most so many bytes at once, for registries behind servers that take no more; 16777216 where nothing is said.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(IMAGE_CHUNK_BYTES_MIN..))]
    chunk_bytes: Option<u64>,
    /// Where it is remembered which uploads were begun.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Check everything, say what would be done, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Allow plain http:// to other machines.
    #[arg(long)]
    allow_insecure: bool,
    /// Print an aux.image-publish/1 document.
    #[arg(long)]
    json: bool,
}

/// Where to.
enum Target {
    Folder(PathBuf),
    Registry(RegistryTarget),
    Imgapi(Url),
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.json;
    let target = target(args)?;
    let credentials = args.credentials.as_deref().map(Credentials::of_file).transpose();
    let credentials = credentials.map_err(|error| {
        Failure::new(error).hint("one line, USER:PASSWORD or a token, in a file that only you may read: chmod 600")
    })?;
    let catalog = args.catalog.as_deref().map(catalog).transpose()?;
    let built = Built::read(&args.image).map_err(|error| refused(error.into()))?;
    let channels = if args.channels.is_empty() { built.channels.clone() } else { args.channels.clone() };
    let bar = ui.bytes("publishing");
    let progress = |bytes| bar.inc(bytes);
    let pause = |wait: SignedDuration| std::thread::sleep(wait.try_into().unwrap_or(Duration::ZERO));
    let client = client(args)?;
    let world = Surroundings {
        client: &client,
        credentials: credentials.as_ref(),
        pause: &pause,
        progress: &progress,
        is_dry_run: args.dry_run,
    };
    let checked = || publish::check_catalog(&built, &channels, catalog.as_ref());
    let published = match &target {
        Target::Folder(folder) => checked().and_then(|()| publish::to_folder(&built, folder, args.dry_run, &progress)),
        Target::Registry(target) => checked().and_then(|()| {
            let folder = args.state.clone().unwrap_or_else(environment::image_state_folder);
            publish::to_registry(&built, target, &mut Uploads::read(&folder.join("uploads.json")), &world)
        }),
        Target::Imgapi(base) => {
            let account = args.account.clone();
            let target = ImgapiTarget { base: base.clone(), account, channels: channels.clone() };
            // What the catalog knows is checked too, where there is one.
            catalog.as_ref().map_or(Ok(()), |_| checked()).and_then(|()| publish::to_imgapi(&built, &target, &world))
        }
    };
    bar.finish_and_clear();
    let published = published.map_err(refused)?;
    if args.json {
        ui.answer(&publish::json(&built, &published))?;
    } else {
        ui.answer_lines(&lines(&built, &published))?;
    }
    Ok(exit::DONE)
}

fn target(args: &Args) -> Result<Target, Failure> {
    let target = match args.to.split_once(':') {
        Some(("oci", rest)) => {
            let target = RegistryTarget::read(rest).map_err(|error| {
                Failure::new(format!("--to: {error}")).hint("for example --to oci:https://registry.example/team/origin")
            })?;
            Target::Registry(args.chunk_bytes.map_or(target.clone(), |bytes| target.in_chunks(bytes)))
        }
        Some(("imgapi", rest)) => {
            let hint = "for example --to imgapi:https://images.example";
            let base = Url::parse(rest).map_err(|error| Failure::new(format!("--to: {error}")).hint(hint))?;
            if base.is_file() || base.has_credentials() {
                let what = "--to: an imgapi is an https:// URL without a name or a password in it";
                return Err(Failure::new(what).hint(hint));
            }
            Target::Imgapi(base)
        }
        Some(("http" | "https" | "docker", _)) => {
            return Err(Failure::new(format!("--to {}: nobody said what speaks there", args.to))
                .hint("write oci:https://HOST/REPOSITORY or imgapi:https://HOST, or name a folder"));
        }
        _ => Target::Folder(PathBuf::from(&args.to)),
    };
    if args.account.is_some() && !matches!(target, Target::Imgapi(_)) {
        return Err(Failure::new("--account is for imgapi alone"));
    }
    Ok(target)
}

fn client(args: &Args) -> Result<HttpClient, Failure> {
    let mut options = network::options(args.allow_insecure)?;
    options.total_limit = Duration::from_secs(IMAGE_PUBLISH_SECONDS_MAX);
    options.root_certificates = args
        .certificates
        .as_deref()
        .map(|path| input::read(path, aux_core::limits::PUBLIC_KEYS_BYTES_MAX as u64))
        .transpose()?;
    HttpClient::new(options).map_err(|error| Failure::http(&error))
}

/// A broken rule is a no; everything else is no answer.
fn refused(error: PublishError) -> Failure {
    let failure = Failure::new(&error).hint(error.advice());
    match error {
        PublishError::Rule(rule) if rule.is_no() => Failure { code: exit::NO, ..failure },
        _ => failure,
    }
}

fn lines(built: &Built, published: &Published) -> Vec<String> {
    let Published { place, state, uuid, digest, channels, sent_bytes, present_bytes } = published;
    let said = match state {
        State::Published => "published",
        State::Present => "there already, the same",
        State::Planned => "would be published; everything was checked and nothing sent",
    };
    let mut lines =
        vec![format!("{place}: {said}"), format!("  {} {}", built.name, built.version), format!("  uuid {uuid}")];
    lines.extend(digest.as_ref().map(|digest| format!("  digest {digest}")));
    if !channels.is_empty() {
        lines.push(format!("  channels {}", channels.join(", ")));
    }
    if *state != State::Planned {
        lines.push(format!("  {sent_bytes} bytes sent, {present_bytes} bytes there before"));
    }
    lines
}
