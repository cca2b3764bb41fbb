# What nix/server.nix makes of a machine's configuration, for programs/server/tests/all/module.rs to compare.
{ configuration }:
let
  modules = import ./modules.nix;
  inherit (modules) any list;
  # As much of NixOS as the module touches.
  nixos = {
    options = {
      environment.systemPackages = list;
      networking.proxy.envVars = any;
      systemd.packages = list;
      systemd.services = any;
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
      (import ../server.nix)
      configuration
    ];
  };
in
{
  services = config.systemd.services;
  packages = map (package: package.name) config.systemd.packages;
}
