# Flake checks that audit: one derivation for each machine, which builds where the audit passes and fails where it does not.
#
# A check gets the machine's derivations and none of what they build, so that checking needs no machine built.
# The log shows the report as a table; the output holds it as JSON.
{
  # The package `aux`.
  aux,
  # The index to audit against, for example an input of your flake: { url = "…/feed.auxdb"; flake = false; }
  feed,
  # Machines (`self.nixosConfigurations`) or packages (`self.packages.x86_64-linux`), by name.
  machines,
  # What the checks themselves are built on.
  system,
  failOn ? "class:critical,severity:high+fixable",
  # Files of accepted findings.
  waivers ? [ ],
  # Judge expiry and age as on this day (`"2024-08-15"`); the day of the build otherwise.
  asOf ? null,
}:
let
  toplevel = machine: machine.config.system.build.toplevel or machine;
  # The path of the derivation as a source: what it is made from comes along, and nothing is built for it.
  derivationOf = machine: builtins.unsafeDiscardOutputDependency (toplevel machine).drvPath;
  day = if asOf == null then [ ] else [ "--as-of" asOf ];
  accepted = builtins.concatMap (file: [ "--waivers" "${file}" ]) waivers;
  check =
    name: machine:
    derivation {
      name = "aux-audit-${builtins.replaceStrings [ " " "/" "\"" ] [ "-" "-" "-" ] name}";
      inherit system;
      builder = "/bin/sh";
      args = [
        "-c"
        ''
          "$aux/bin/aux" "$@" || exit
          "$aux/bin/aux" "$@" --json --output "$out"
        ''
        "aux-audit"
        "audit"
        "--quiet"
        (derivationOf machine)
        "--feed"
        "${feed}"
        "--fail-on"
        failOn
      ]
      ++ accepted
      ++ day;
      inherit aux;
      # A builder writes to a terminal of nix's own, which is no reason for colours or bars.
      NO_COLOR = "1";
      COLUMNS = "100";
      NIX_STORE_DIR = builtins.storeDir;
      preferLocalBuild = true;
    };
in
builtins.mapAttrs check machines
