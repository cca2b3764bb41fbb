# What nix/secrets.nix makes of a machine's configuration, for programs/cli/tests/all/secret_machine.rs to compare.
{ configuration }:
let
  modules = import ./modules.nix;
  inherit (modules) any list;
  # As much of NixOS as the module touches.
  nixos = {
    options = {
      assertions = list;
      environment.systemPackages = list;
      systemd.services = any;
      systemd.sockets = any;
    };
  };
  aux = {
    name = "aux";
    outPath = "/nix/store/00000000000000000000000000000000-aux";
  };
  config = modules.evaluate {
    pkgs = { inherit aux; };
    modules = [
      (_: nixos)
      (import ../secrets.nix)
      configuration
    ];
  };
  # As NixOS refuses a system.
  failed = builtins.filter (one: !one.assertion) config.assertions;
in
if failed != [ ] then
  throw "Failed assertions: ${builtins.concatStringsSep "; " (map (one: one.message) failed)}"
else
{
  inherit (config.systemd) services sockets;
  secrets = if config.services.aux-secrets.enable then config.services.aux-secrets.secrets else { };
}
