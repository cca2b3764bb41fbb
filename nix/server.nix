# NixOS: serves a private binary cache. What the unit may do stands in nix/units, which the package brings; this adds
# where it listens, and which feed its policies ask.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.services.aux-server;
in
{
  options.services.aux-server = {
    enable = mkEnableOption "aux-server, a private binary cache of what was vetted";
    package = mkOption {
      type = types.package;
      default = pkgs.aux;
      description = "The package with `aux-server` and its unit.";
    };
    listen = mkOption {
      type = types.str;
      default = "127.0.0.1:8180";
      description = "Address and port. Anything but loopback wants a proxy in front that speaks TLS, because tokens pass here.";
    };
    storeDir = mkOption {
      type = types.path;
      default = "/nix/store";
      description = "The store directory of those who substitute from here.";
    };
    records = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "postgres:///aux?host=/run/postgresql&user=aux";
      description = "The PostgreSQL with the records, for several servers on one store; null keeps them in the folder. It holds no password.";
    };
    recordsPasswordFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      description = "A file with the password for `records`, which systemd reads and hands on.";
    };
    feed = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/aux-feed/feed.auxdb";
      description = "The index that policies ask, readable by everybody; views are judged again when it changes.";
    };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    systemd.packages = [ cfg.package ];
    systemd.services.aux-server = {
      wantedBy = [ "multi-user.target" ];
      # Upstreams of caches are reached through it.
      environment = config.networking.proxy.envVars;
      # The empty word takes back what the unit itself says. The folder is the unit's state directory.
      serviceConfig.LoadCredential = mkIf (cfg.recordsPasswordFile != null) [
        "records-password:${toString cfg.recordsPasswordFile}"
      ];
      serviceConfig.ExecStart = [
        ""
        (
          "${cfg.package}/bin/aux-server --data /var/lib/aux-cache --listen ${cfg.listen} --store-dir ${toString cfg.storeDir}"
          + (if cfg.feed == null then "" else " --feed ${toString cfg.feed}")
          # A percent sign is systemd's in this place.
          + (if cfg.records == null then "" else " --records ${lib.escapeShellArg (lib.replaceStrings [ "%" ] [ "%%" ] cfg.records)}")
          + (if cfg.recordsPasswordFile == null then "" else " --records-password-file %d/records-password")
        )
      ];
    };
  };
}
