let
  make = name: inputs: derivation {
    inherit name inputs;
    system = builtins.currentSystem;
    builder = "/bin/false";
  };
  machine = contents: { config.system.build.toplevel = make "nixos-system" contents; };
  flake = (import @ROOT@/flake.nix).outputs {
    self = { };
    nixpkgs.lib.genAttrs = names: build: { };
  };
in
flake.lib.checks {
  system = builtins.currentSystem;
  aux = builtins.path { path = ./package; name = "aux"; };
  feed = ./feed.auxdb;
  asOf = "2021-06-01";
  machines.good = machine [ (make "hello-2.10" [ ]) ];
  machines.bad = machine [ (make "openssl-1.1.1g" [ ]) ];
}
