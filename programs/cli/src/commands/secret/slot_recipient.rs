//! `aux secret slot recipient`: a key in the machine's TPM that anybody can encrypt to.

use aux_app::exit;
use aux_core::limits::SLOT_FILE_BYTES_MAX;
use aux_io::{file, input};
use aux_unlock::tpm;
use aux_unlock::{slot, tag_recipient};
use serde::Serialize;

use super::reach::{Reach, document};
use super::slot_add::Binding;
use crate::failure::Failure;
use crate::ui::Ui;

/// Print the recipient of a key in this machine's TPM (age1tag1…), for `aux secret enroll --recipient`. The key is made first
/// where there is none, bound to PCRs or to a key that signs policies, and never leaves the TPM.
///
/// Any age encrypts to it, on any machine. Only this TPM opens, while what the key is bound to holds: `aux secret install`
/// and `serve` do so by --tpm-key. It is one way in, so let recovery open the machine's keys too, which it always does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    recipient: String,
    file: String,
    bound: String,
    made: bool,
}

/// Runs it.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let path = args.reach.tpm_key();
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
    let is_there = path.exists();
    if is_there && args.binding.is_given() {
        return Err(failed(&"there is a key already, bound as it was made")
            .hint("leave out what it is bound to, or name another file with --tpm-key"));
    }
    let object = if is_there {
        slot::parse_tpm_key(&input::read(&path, SLOT_FILE_BYTES_MAX)?).map_err(|error| failed(&error))?
    } else {
        let surroundings = args.reach.surroundings()?;
        let policy = args.binding.policy(&surroundings)?.ok_or_else(|| {
            failed(&"there is no key yet").hint("--tpm2 7 makes one that works while PCR 7 is what it is now")
        })?;
        let address = surroundings.tpm.as_ref();
        let address = address
            .ok_or_else(|| Failure::new("this machine has no /dev/tpmrm0").hint("--tpm says where the TPM is"))?;
        let object = tpm::make_key(address, &policy, &surroundings.random).map_err(Failure::new)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            file::create_private_folder(folder)?;
        }
        file::create_private(&path, slot::print_tpm_key(&object).as_bytes())?;
        object
    };
    let recipient = tag_recipient(&object).map_err(|error| failed(&error))?;
    let bound = object.policy().to_string();
    if args.reach.json {
        let (schema, file) = ("aux.secret-slot-recipient/1", path.display().to_string());
        document(&Document { schema, recipient, file, bound, made: !is_there }, ui)?;
        return Ok(exit::DONE);
    }
    ui.answer(&format!("{recipient}\n"))?;
    ui.remark(&format!("{}: a key in the TPM, {bound}", path.display()));
    Ok(exit::DONE)
}
