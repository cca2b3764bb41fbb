//! What a CPE's target software and AND conditions mean for the systems we audit.

use crate::cpe::{Cpe, Part, unescape};
use crate::record::{Language, Platform, Product};

/// Folds CPE's `target_sw` into where the product must run.
pub fn platform_of(target_software: &str) -> Platform {
    let target = unescape(target_software);
    let target = target.as_ref();
    if let Some(language) = language_of(target) {
        return Platform::Language(language);
    }
    match target {
        "*" | "-" | "" | "x86" | "x64" | "x86_64" | "amd64" | "arm" | "arm64" | "desktop" | "server"
        | "open_source" => Platform::Any,
        _ if is_unix(target) => Platform::Unix,
        _ if is_foreign_system(target) => Platform::Foreign,
        _ => Platform::Plugin,
    }
}

fn language_of(target: &str) -> Option<Language> {
    Some(match target {
        "node.js" | "nodejs" | "npm" => Language::Node,
        "python" | "pypi" | "django" => Language::Python,
        "ruby" | "rubygems" | "rails" | "ruby_on_rails" => Language::Ruby,
        "perl" => Language::Perl,
        "rust" | "cargo" => Language::Rust,
        "php" | "laravel" | "composer" | "symfony" => Language::Php,
        "java" | "maven" | "spring" => Language::Java,
        "go" | "golang" => Language::Go,
        "lua" => Language::Lua,
        "haskell" => Language::Haskell,
        _ => return None,
    })
}

fn is_unix(target: &str) -> bool {
    target.contains("linux") || matches!(target, "unix" | "gnu" | "gnome" | "kde" | "xorg" | "freebsd" | "bsd")
}

/// Systems that no Nix or pkgsrc package set runs its own builds for, and appliances.
fn is_foreign_system(target: &str) -> bool {
    const PREFIXES: [&str; 20] = [
        "windows",
        "mac",
        "iphone",
        "ipad",
        "ios",
        "android",
        "watchos",
        "tvos",
        "hp-ux",
        "aix",
        "nexus_",
        "symbian",
        "blackberry",
        "palm",
        "internet_explorer",
        "edge",
        "vmware",
        "netware",
        "tizen",
        "chrome_os",
    ];
    PREFIXES.iter().any(|prefix| target.starts_with(prefix))
        || matches!(target, "uwp" | "xbox" | "mobile" | "phone" | "zos" | "z\\/os" | "sap" | "solaris" | "sunos")
}

/// What one side of an AND asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Holds on every system we audit, or nothing says it does not (hardware is not in an inventory).
    Holds,
    /// Holds only on systems we do not audit.
    Elsewhere,
    /// Holds where one of these products is present.
    Needs(Vec<Product>),
}

/// Weighs the alternatives of a condition: one that holds is enough.
pub fn condition<'a>(alternatives: impl Iterator<Item = Cpe<'a>>) -> Condition {
    let mut needed = Vec::new();
    let mut any = false;
    for cpe in alternatives {
        any = true;
        match cpe.part {
            // Processors are everywhere; any other hardware is some maker's appliance with its own build.
            Part::Hardware if !is_processor_maker(cpe.vendor) => {}
            Part::OperatingSystem if is_foreign_vendor(cpe.vendor, cpe.product) => {}
            Part::Hardware | Part::OperatingSystem => return Condition::Holds,
            Part::Application => {
                needed.push(Product::cpe(Part::Application, unescape(cpe.vendor), unescape(cpe.product)));
            }
        }
    }
    if !any {
        Condition::Holds
    } else if needed.is_empty() {
        Condition::Elsewhere
    } else {
        needed.sort();
        needed.dedup();
        Condition::Needs(needed)
    }
}

fn is_processor_maker(vendor: &str) -> bool {
    matches!(
        vendor,
        "intel" | "amd" | "arm" | "ibm" | "nvidia" | "apple" | "qualcomm" | "broadcom" | "mediatek" | "risc-v" | "*"
    )
}

/// Makers of operating systems that are not Unix-like package hosts, and appliances' firmware.
fn is_foreign_vendor(vendor: &str, product: &str) -> bool {
    match vendor {
        "microsoft" | "apple" | "cisco" | "juniper" | "blackberry" | "symbian" | "sgi" | "novell"
            if product != "suse_linux" && product != "linux" =>
        {
            true
        }
        "google" => product.starts_with("android") || product.starts_with("chrome"),
        "ibm" => !product.contains("linux"),
        "hp" => product.contains("hp-ux") || product.contains("openvms") || product.contains("tru64"),
        "sun" | "oracle" => product.contains("solaris") || product.contains("sunos"),
        _ => product.ends_with("_firmware"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weigh(names: &[&str]) -> Condition {
        condition(names.iter().map(|name| Cpe::read(name).unwrap()))
    }

    #[test]
    fn one_alternative_that_holds_is_enough() {
        let windows = "cpe:2.3:o:microsoft:windows:-:*:*:*:*:*:*:*";
        let linux = "cpe:2.3:o:linux:linux_kernel:-:*:*:*:*:*:*:*";
        let apache = "cpe:2.3:a:apache:http_server:*:*:*:*:*:*:*:*";
        assert_eq!(weigh(&[windows]), Condition::Elsewhere);
        assert_eq!(weigh(&[windows, linux]), Condition::Holds);
        assert_eq!(
            weigh(&[windows, apache]),
            Condition::Needs(vec![Product::cpe(Part::Application, "apache", "http_server")])
        );
        assert_eq!(weigh(&[]), Condition::Holds);
    }

    #[test]
    fn target_software_says_where() {
        assert_eq!(platform_of("*"), Platform::Any);
        assert_eq!(platform_of("redhat_enterprise_linux"), Platform::Unix);
        assert_eq!(platform_of("iphone_os"), Platform::Foreign);
        assert_eq!(platform_of("node.js"), Platform::Language(Language::Node));
        assert_eq!(platform_of(r"joomla\!"), Platform::Plugin);
    }
}
