//! `aux secret slot sign` and `aux secret slot count`: policies for slots that are bound to a key, and the end of older ones.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aux_app::exit;
use aux_core::limits::TPM_POLICIES_BYTES_MAX;
use aux_core::{hexadecimal, unhexadecimal};
use aux_io::{file, input};
use aux_secrets::secret_file;
use aux_unlock::slot::{parse_policies, print_policies};
use aux_unlock::tpm::{self, CounterBound, PolicySigner, SignedPolicy, Statement};
use serde::Serialize;

use super::reach::{Reach, document};
use super::slot_add::{REFERENCE, index};
use crate::failure::Failure;
use crate::ui::Ui;

/// Sign a policy: what the PCRs must be, and how far the counter may have counted, for slots made with --policy-key.
///
/// It is done where the private key is, which need not be the machine: PCRs that are not named by their values are asked of
/// the TPM here. The file of policies goes to the machine, and nothing in it is secret.
#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    /// What the policy is for, such as a generation of the system; one of the same name is replaced.
    #[arg(value_name = "NAME")]
    name: String,
    /// The private key, on P-256 or of RSA, as `openssl genpkey` writes it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// PCRs with the values that the TPM has now, such as `7,11`.
    #[arg(long, value_name = "PCRS", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..24))]
    tpm2: Vec<u8>,
    /// A PCR with a value that was predicted, as `11=` and 64 hexadecimal digits; may be given several times.
    #[arg(long = "pcr", value_name = "PCR=SHA256", value_parser = register, required_unless_present_any = ["tpm2", "counter"])]
    registers: Vec<(u8, [u8; 32])>,
    /// Only while this counter of the TPM, such as `0x01500020`, is not past --most.
    #[arg(long, value_name = "INDEX", value_parser = index)]
    counter: Option<u32>,
    /// How far the counter may be; what it is now where nothing is said.
    #[arg(long, value_name = "NUMBER", requires = "counter")]
    most: Option<u64>,
    /// The file of policies to add it to.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    reach: Reach,
}

/// Count a counter of the TPM on by one, and make it where it is not there: policies signed for less open nothing any more.
///
/// Do it once a newer generation has started well. There is no way back.
#[derive(Debug, clap::Args)]
pub(crate) struct Count {
    /// The counter's index, such as `0x01500020`.
    #[arg(value_name = "INDEX", value_parser = index)]
    index: u32,
    /// Say where it stands, and count nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Serialize)]
struct SignDocument {
    schema: &'static str,
    name: String,
    key: String,
    registers: BTreeMap<u8, String>,
    counter: Option<String>,
    most: Option<u64>,
    file: String,
    policies: Vec<String>,
}

#[derive(Serialize)]
struct CountDocument {
    schema: &'static str,
    counter: String,
    value: Option<u64>,
    counted: bool,
}

/// Signs.
pub(super) fn sign(args: &Sign, ui: &mut Ui) -> Result<u8, Failure> {
    let key = secret_file::read(&args.key).map_err(Failure::new)?;
    let signer = PolicySigner::of_pem(key.reveal()).map_err(|error| {
        Failure::new(format!("{}: {error}", args.key.display()))
            .hint("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one")
    })?;
    let statement = args.statement()?;
    let signature = signer.sign(&statement, REFERENCE).map_err(Failure::new)?;
    let mut policies = Vec::new();
    if args.output.exists() {
        let read = parse_policies(&input::read(&args.output, TPM_POLICIES_BYTES_MAX)?);
        policies = read.map_err(|error| {
            Failure::new(format!("{}: {error}", args.output.display()))
                .hint("restore it, or name a new file and sign what is still to open")
        })?;
    }
    policies.retain(|policy| policy.name != args.name);
    policies.push(SignedPolicy { name: args.name.clone(), statement: statement.clone(), signature });
    let text = print_policies(&policies);
    // What is written must be what is read: names and numbers have bounds.
    parse_policies(text.as_bytes()).map_err(|error| Failure::new(error).hint("nothing was written"))?;
    file::replace(&args.output, text.as_bytes())?;
    let public = signer.public().map_err(Failure::new)?.fingerprint();
    let names: Vec<String> = policies.iter().map(|policy| policy.name.clone()).collect();
    if args.reach.json {
        let registers = statement.registers.iter().map(|(pcr, value)| (*pcr, hexadecimal(value))).collect();
        let answer = SignDocument {
            schema: "aux.secret-slot-sign/1",
            name: args.name.clone(),
            key: public,
            registers,
            counter: statement.counter.map(|counter| format!("{:#010x}", counter.index)),
            most: statement.counter.map(|counter| counter.most),
            file: args.output.display().to_string(),
            policies: names,
        };
        document(&answer, ui)?;
        return Ok(exit::DONE);
    }
    let mut lines = vec![format!("signed {} by key {public}: {}", args.name, said(&statement))];
    lines.push(format!("{} has the policies {}", args.output.display(), names.join(", ")));
    ui.answer_lines(&lines)?;
    Ok(exit::DONE)
}

impl Sign {
    fn statement(&self) -> Result<Statement, Failure> {
        let mut registers = BTreeMap::new();
        let twice = |pcr: u8| Failure::new(format!("PCR {pcr} is named twice")).hint("name it in --tpm2 or in --pcr");
        for (pcr, value) in &self.registers {
            if registers.insert(*pcr, *value).is_some() {
                return Err(twice(*pcr));
            }
        }
        let mut counter = self.counter.zip(self.most).map(|(index, most)| CounterBound { index, most });
        if !self.tpm2.is_empty() || (self.counter.is_some() && counter.is_none()) {
            let surroundings = self.reach.surroundings()?;
            let hint = "--tpm says where the TPM is; --pcr and --most need none";
            let address = surroundings.tpm.ok_or_else(|| Failure::new("this machine has no /dev/tpmrm0").hint(hint))?;
            for (pcr, value) in tpm::registers(&address, &self.tpm2, &surroundings.random).map_err(Failure::new)? {
                if registers.insert(pcr, value).is_some() {
                    return Err(twice(pcr));
                }
            }
            if let (Some(index), None) = (self.counter, counter) {
                let most = tpm::counter(&address, index, &surroundings.random).map_err(Failure::new)?;
                let most = most.ok_or_else(|| {
                    Failure::new(format!("there is no counter {index:#010x} in this TPM"))
                        .hint("aux secret slot count INDEX makes it")
                })?;
                counter = Some(CounterBound { index, most });
            }
        }
        Ok(Statement { registers, counter })
    }
}

fn said(statement: &Statement) -> String {
    let registers = statement.registers.iter().map(|(pcr, value)| format!("PCR {pcr} is {}", hexadecimal(value)));
    let counter = statement.counter.map(|one| format!("counter {:#010x} is at most {}", one.index, one.most));
    registers.chain(counter).collect::<Vec<_>>().join(", ")
}

/// Counts.
pub(super) fn count(args: &Count, ui: &mut Ui) -> Result<u8, Failure> {
    let surroundings = args.reach.surroundings()?;
    let missing = || Failure::new("this machine has no /dev/tpmrm0").hint("--tpm says where the TPM is");
    let address = surroundings.tpm.as_ref().ok_or_else(missing)?;
    let value = if args.dry_run {
        tpm::counter(address, args.index, &surroundings.random).map_err(Failure::new)?
    } else {
        Some(tpm::count(address, args.index, &surroundings.random).map_err(Failure::new)?)
    };
    let counter = format!("{:#010x}", args.index);
    if args.reach.json {
        let schema = "aux.secret-slot-count/1";
        document(&CountDocument { schema, counter, value, counted: !args.dry_run }, ui)?;
    } else {
        let line = match (value, args.dry_run) {
            (None, _) => format!("there is no counter {counter} in this TPM"),
            (Some(value), true) => format!("counter {counter} stands at {value}"),
            (Some(value), false) => {
                format!("counter {counter} stands at {value} now; what was good up to less opens nothing")
            }
        };
        ui.answer_lines(&[line])?;
    }
    Ok(if value.is_some() { exit::DONE } else { exit::NO })
}

/// Reads `11=` and a digest.
fn register(text: &str) -> Result<(u8, [u8; 32]), String> {
    let wrong = || "a PCR and its value are written as 11= and 64 hexadecimal digits".to_owned();
    let (pcr, value) = text.split_once('=').ok_or_else(wrong)?;
    let pcr = pcr.parse().ok().filter(|pcr| *pcr < 24).ok_or("a PCR is a number from 0 to 23")?;
    let value = unhexadecimal(value).and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
    Ok((pcr, value))
}
