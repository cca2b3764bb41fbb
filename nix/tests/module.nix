# What nix/module.nix makes of a machine's configuration, for programs/agent/tests/all/module.rs to compare.
{ configuration }:
let
  modules = import ./modules.nix;
  inherit (modules) any list;
  inherit (modules.lib) mkOption types;
  # As much of NixOS as the module touches.
  nixos =
    { pkgs, ... }:
    {
      options = {
        assertions = list;
        environment.systemPackages = list;
        environment.etc = any;
        services.dbus.packages = list;
        security.polkit.enable = mkOption {
          type = types.bool;
          default = false;
        };
        systemd.packages = list;
        systemd.services = any;
        systemd.user.services = any;
        systemd.timers = any;
        networking.proxy.envVars = any;
        nix.package = mkOption {
          type = types.package;
          default = pkgs.nix;
        };
      };
    };
  package = name: {
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
  };
  pkgs = {
    aux = package "aux";
    nix = package "nix";
    xdg-utils = package "xdg-utils";
    # The settings themselves: writing them down is the work of nixpkgs.
    formats.toml = _options: { generate = _name: value: value; };
  };
  config = modules.evaluate {
    inherit pkgs;
    modules = [
      nixos
      (import ../module.nix)
      configuration
    ];
  };
  failed = builtins.filter (assertion: !assertion.assertion) config.assertions;
in
{
  refused = map (assertion: assertion.message) failed;
  settings = config.environment.etc."aux/aux.toml".source or null;
  services = builtins.attrNames config.systemd.services;
  sessions = builtins.mapAttrs (_name: unit: unit.wantedBy) config.systemd.user.services;
  proxies = builtins.mapAttrs (_name: unit: unit.environment) config.systemd.services;
  timer = config.systemd.timers.auxd-round.timerConfig.OnCalendar or null;
  packages = map (package: package.name) config.systemd.packages;
  polkit = config.security.polkit.enable;
}
