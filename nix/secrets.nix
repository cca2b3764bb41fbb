# NixOS: the secrets of a machine, as aux-secrets.json declares them. Each service that a secret names gets it as a credential, from
# a socket; secrets that are files are installed before services start. Of the repository, the store gets what this machine
# reads: public facts, and ciphertext of its own.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.services.aux-secrets;
  socket = "/run/aux/cred.sock";
  folder = "/run/aux/secrets";

  manifest = builtins.fromJSON (builtins.readFile (cfg.repository + "/aux-secrets.json"));
  own = manifest.machines.${cfg.machine};
  shared = builtins.foldl' (all: group: all // manifest.groups.${group}.values) { } own.groups;
  secrets = builtins.mapAttrs (name: instance: {
    inherit (manifest.secrets.${name}) units file;
    check = instance.check or null;
    public = instance.public or null;
    # A string, so that nothing copies it to the store.
    path = if manifest.secrets.${name}.file then "${folder}/current/${name}" else null;
  }) (shared // own.values);

  # Only services read credentials; other units are left to the administrator.
  # An envelope without a value has no check value, and nobody can be given it.
  filled = builtins.filter (name: secrets.${name}.check != null) (builtins.attrNames secrets);
  serviceOf = unit: builtins.match "(.*)\\.service" unit;
  pairs = builtins.concatMap (
    name:
    builtins.concatMap (
      unit:
      if serviceOf unit == null then
        [ ]
      else
        [
          {
            service = builtins.head (serviceOf unit);
            inherit name;
          }
        ]
    ) secrets.${name}.units
  ) filled;
  services = builtins.mapAttrs (
    _service: uses:
    let
      needed = [ "aux-secrets.socket" ] ++ (if hasFiles then [ "aux-secrets-install.service" ] else [ ]);
    in
    {
      requires = needed;
      after = needed;
      restartTriggers = map (use: secrets.${use.name}.check) uses;
      serviceConfig.LoadCredential = map (use: "${use.name}:${socket}") uses;
    }
  ) (builtins.groupBy (pair: pair.service) pairs);
  hasFiles = builtins.any (name: secrets.${name}.file) filled;

  # Everybody can read the store. What lies beside stays where it is: the seed, other machines, and keys that somebody forgot.
  holders = [ "machine-${cfg.machine}" ] ++ map (group: "group-${group}") own.groups;
  read = [
    "aux-secrets.json"
    "aux-secrets.json.sig"
    "allowed_signers"
    "machines"
    "machines/${cfg.machine}"
    "machines/${cfg.machine}/scope.age"
    "secrets"
  ]
  ++ map (holder: "secrets/${holder}") holders;
  isRead =
    path:
    builtins.elem path read
    || builtins.any (holder: builtins.match "secrets/${holder}/[^/]*[.]age" path != null) holders;
  below =
    folder: path:
    builtins.substring (builtins.stringLength folder + 1) (builtins.stringLength path) path;
  # A string is the path of a folder on the machine, or lies in the store already.
  repository =
    if builtins.isPath cfg.repository then
      builtins.path {
        name = "aux-secrets";
        path = cfg.repository;
        filter = path: _type: isRead (below (toString cfg.repository) path);
      }
    else
      cfg.repository;

  # A flake brings its whole tree to the store, whatever of it is used. So private keys are looked for where they are
  # forgotten: in files whose names say that they are keys.
  isNamedKey = name: builtins.match ".*[.](key|agekey|pem|txt)|id_.*|.*identit.*" name != null;
  isKey =
    text:
    builtins.length (builtins.split "AGE-SECRET-KEY-1|-----BEGIN [A-Z ]*PRIVATE KEY-----" text) > 1;
  keysBelow =
    folder:
    builtins.concatMap (
      name:
      let
        path = folder + "/${name}";
        type = (builtins.readDir folder).${name};
      in
      if type == "directory" then
        (if name == ".git" then [ ] else keysBelow path)
      else if type == "regular" && isNamedKey name && isKey (builtins.readFile path) then
        [ (toString path) ]
      else
        [ ]
    ) (builtins.attrNames (builtins.readDir folder));
  keys = keysBelow cfg.repository;

  inStore = text: builtins.hasContext text || builtins.match "${builtins.storeDir}/.*" text != null;

  options =
    "--repo ${repository} --machine ${cfg.machine}"
    + (if cfg.identity == null then "" else " --identity ${cfg.identity}")
    + (if cfg.signers == null then "" else " --signers ${cfg.signers}");
  hardened = {
    LimitCORE = 0;
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    MemorySwapMax = 0;
    NoNewPrivileges = true;
    PrivateTmp = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = "read-only";
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectSystem = "strict";
    RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6";
    RestrictNamespaces = true;
    RestrictRealtime = true;
    SystemCallArchitectures = "native";
  };
in
{
  options.services.aux-secrets = {
    enable = mkEnableOption "secrets of aux for the services of this machine";
    package = mkOption {
      type = types.package;
      default = pkgs.aux;
      description = "The package with `aux`.";
    };
    repository = mkOption {
      type = types.path;
      example = "./secrets";
      description = "The folder with aux-secrets.json: a path, of which what this machine reads is copied to the store, or a string, of which nothing is.";
    };
    machine = mkOption {
      type = types.str;
      description = "What this machine is called there.";
    };
    identity = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/var/lib/aux/identity";
      description = "The file with the machine's identity, a string, so that it is not copied to the store; null opens its slots.";
    };
    signers = mkOption {
      type = types.nullOr types.path;
      default = null;
      description = "Who may have signed, in OpenSSH's format of allowed signers; null believes the repository's own list.";
    };
    secrets = mkOption {
      type = types.anything;
      readOnly = true;
      default = secrets;
      description = "What this machine has, by name: `path` of those that are files, `public`, `check`, `units`.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.identity == null || !inStore cfg.identity;
        message = "services.aux-secrets.identity lies in the store, where every user can read it: ${toString cfg.identity}; name a file of the machine, as a string";
      }
      {
        assertion = keys == [ ];
        message = "services.aux-secrets.repository holds private keys, which the store would show to every user: ${builtins.concatStringsSep ", " keys}; move them away, and change what they open";
      }
    ];
    environment.systemPackages = [ cfg.package ];
    systemd.sockets.aux-secrets = {
      wantedBy = [ "sockets.target" ];
      listenStreams = [ socket ];
      socketConfig = {
        SocketMode = "0600";
        DirectoryMode = "0711";
      };
    };
    systemd.services = services // {
      aux-secrets = {
        description = "Secrets for services";
        requires = [ "aux-secrets.socket" ];
        serviceConfig = hardened // {
          ExecStart = "${cfg.package}/bin/aux secret serve ${options}";
          # A TPM belongs to a user of its own.
          CapabilityBoundingSet = if cfg.identity == null then "CAP_DAC_OVERRIDE" else "";
        };
      };
    } // (if hasFiles then {
      aux-secrets-install = {
        description = "Secrets as files";
        wantedBy = [ "multi-user.target" ];
        restartTriggers = map (name: secrets.${name}.check) filled;
        serviceConfig = hardened // {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = "${cfg.package}/bin/aux secret install ${options} --to ${folder}";
          # It gives files to their owners; a TPM belongs to a user of its own.
          CapabilityBoundingSet = "CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE";
          RuntimeDirectory = "aux";
          RuntimeDirectoryMode = "0711";
          RuntimeDirectoryPreserve = true;
        };
      };
    } else { });
  };
}
