# What `aux audit` asks of an evaluated NixOS configuration: a function from a machine (anything with `config`, such as
# `nixosConfigurations.NAME`) to one attribute set, aux.configuration/1, that `nix eval --json` can print.
#
# Pure; builds nothing; copies nothing to the store (paths become text). No secret leaves it: of passwords and keys it
# says only whether they are there. An option that is missing is left out, one that throws is named in `unevaluated`.
machine:
let
  inherit (builtins) attrNames concatLists filter hasAttr isAttrs isBool isInt isList isPath isString listToAttrs map match stringLength substring toString tryEval unsafeDiscardStringContext;

  config = machine.config or machine;

  # { found; value; } | { found = false; threw; }
  follow = names: from:
    if names == [ ] then { found = true; value = from; }
    else
      let
        name = builtins.head names;
        has = tryEval (isAttrs from && hasAttr name from);
        next = tryEval from.${name};
      in
      if !has.success then { found = false; threw = true; }
      else if !has.value then { found = false; threw = false; }
      else if !next.success then { found = false; threw = true; }
      else follow (builtins.tail names) next.value;

  text = value: unsafeDiscardStringContext (toString value);

  # Only what is data; a package, a function or a set becomes null.
  plain = value:
    if isBool value || isInt value || value == null then value
    else if isString value || isPath value then text value
    else if isList value then map plain value
    else if isAttrs value && value ? outPath then text value.outPath
    else null;

  forced = value: tryEval (builtins.deepSeq value value);

  read = names:
    let
      at = follow names config;
      value = forced (plain at.value);
    in
    if !at.found then { inherit (at) threw; found = false; }
    else if !value.success then { found = false; threw = true; }
    else { found = true; threw = false; inherit (value) value; };

  dotted = names: builtins.concatStringsSep "." names;

  options = [
    [ "boot" "isContainer" ]
    [ "boot" "kernel" "sysctl" "fs.protected_fifos" ]
    [ "boot" "kernel" "sysctl" "fs.protected_hardlinks" ]
    [ "boot" "kernel" "sysctl" "fs.protected_regular" ]
    [ "boot" "kernel" "sysctl" "fs.protected_symlinks" ]
    [ "boot" "kernel" "sysctl" "kernel.dmesg_restrict" ]
    [ "boot" "kernel" "sysctl" "kernel.kexec_load_disabled" ]
    [ "boot" "kernel" "sysctl" "kernel.kptr_restrict" ]
    [ "boot" "kernel" "sysctl" "kernel.unprivileged_bpf_disabled" ]
    [ "boot" "kernel" "sysctl" "kernel.yama.ptrace_scope" ]
    [ "boot" "kernel" "sysctl" "net.core.bpf_jit_harden" ]
    [ "boot" "kernelParams" ]
    [ "boot" "lanzaboote" "enable" ]
    [ "boot" "loader" "limine" "secureBoot" "enable" ]
    [ "boot" "loader" "systemd-boot" "editor" ]
    [ "boot" "loader" "systemd-boot" "enable" ]
    [ "networking" "firewall" "enable" ]
    [ "networking" "hostName" ]
    [ "networking" "nftables" "enable" ]
    [ "networking" "nftables" "ruleset" ]
    [ "nix" "allowedUsers" ]
    [ "nix" "binaryCachePublicKeys" ]
    [ "nix" "binaryCaches" ]
    [ "nix" "distributedBuilds" ]
    [ "nix" "enable" ]
    [ "nix" "requireSignedBinaryCaches" ]
    [ "nix" "settings" "allowed-users" ]
    [ "nix" "settings" "extra-substituters" ]
    [ "nix" "settings" "extra-trusted-public-keys" ]
    [ "nix" "settings" "require-sigs" ]
    [ "nix" "settings" "sandbox" ]
    [ "nix" "settings" "substituters" ]
    [ "nix" "settings" "trusted-public-keys" ]
    [ "nix" "settings" "trusted-substituters" ]
    [ "nix" "settings" "trusted-users" ]
    [ "nix" "trustedBinaryCaches" ]
    [ "nix" "trustedUsers" ]
    [ "nix" "useSandbox" ]
    [ "security" "apparmor" "enable" ]
    [ "security" "doas" "enable" ]
    [ "security" "doas" "wheelNeedsPassword" ]
    [ "security" "sudo" "enable" ]
    [ "security" "sudo" "wheelNeedsPassword" ]
    [ "security" "sudo-rs" "enable" ]
    [ "security" "sudo-rs" "wheelNeedsPassword" ]
    [ "services" "comin" "enable" ]
    [ "services" "firewalld" "enable" ]
    [ "services" "openssh" "challengeResponseAuthentication" ]
    [ "services" "openssh" "enable" ]
    [ "services" "openssh" "kbdInteractiveAuthentication" ]
    [ "services" "openssh" "passwordAuthentication" ]
    [ "services" "openssh" "permitRootLogin" ]
    [ "services" "openssh" "settings" "KbdInteractiveAuthentication" ]
    [ "services" "openssh" "settings" "PasswordAuthentication" ]
    [ "services" "openssh" "settings" "PermitRootLogin" ]
    [ "system" "autoUpgrade" "enable" ]
    [ "system" "nixos" "release" ]
    [ "system" "nixos" "versionSuffix" ]
    [ "system" "nixosRelease" ]
    [ "system" "nixosVersionSuffix" ]
  ];

  answers = map (names: { name = dotted names; answer = read names; }) options;

  # The entries of a set of things, each by `describe`; null where the set is not there or throws.
  each = names: describe:
    let
      at = follow names config;
      list = forced (map (name: describe name at.value.${name}) (attrNames at.value));
      alone = name: forced (describe name at.value.${name});
      rest = map (result: result.value) (filter (result: result.success) (map alone (attrNames at.value)));
    in
    if !at.found || !(tryEval (isAttrs at.value)).value then null
    else if list.success then list.value
    else rest ++ [ null ];

  isSet = value: value != null && value != "";
  inStore = value: value != null && (isString value || isPath value) && match "${builtins.storeDir}/.*" (text value) != null;

  # What throws here makes the whole entry null: that a password is not seen does not mean that there is none.
  user = name: it: {
    inherit name;
    password = (it.password or null) != null;
    initialPassword = (it.initialPassword or null) != null;
    hashedPassword = hash (it.hashedPassword or null);
    initialHashedPassword = hash (it.initialHashedPassword or null);
    emptyPassword = (it.password or null) == "" || (it.initialPassword or null) == "";
    passwordFileInStore = inStore (it.hashedPasswordFile or it.passwordFile or null);
  };

  # "none", "empty", "locked" or "set".
  hash = value:
    if value == null then "none"
    else if value == "" then "empty"
    else if match "[!*].*" value != null then "locked"
    else "set";

  directives = [
    "AmbientCapabilities" "CapabilityBoundingSet" "NoNewPrivileges" "PrivateDevices" "PrivateTmp" "ProtectHome"
    "ProtectKernelModules" "ProtectKernelTunables" "ProtectSystem" "RestrictAddressFamilies" "RootDirectory" "RootImage"
    "SystemCallFilter"
  ];

  # A directive that is off hardens nothing.
  isOn = value: !(value == null || value == false || value == "false" || value == "no" || value == "off" || value == 0);

  endsWith = ending: name:
    let length = stringLength ending; own = stringLength name;
    in own >= length && substring (own - length) length name == ending;
  isSecretName = name: builtins.any (ending: endsWith ending name) [ "PASSWORD" "SECRET" "TOKEN" "API_KEY" ];
  isSecretValue = value: isSet value && match "[/%$].*" (text value) == null;

  service = name: it:
    let
      of = it.serviceConfig or { };
      field = key: plain (of.${key} or null);
      starts = field "ExecStart";
      script = it.script or "";
    in
    {
      inherit name;
      enabled = (it.enable or true) != false;
      type = field "Type";
      user = field "User";
      dynamicUser = field "DynamicUser" == true || field "DynamicUser" == "yes" || field "DynamicUser" == "true";
      starts = (starts != null && starts != "" && starts != [ ]) || isSet script;
      hardening = filter (key: of ? ${key} && isOn of.${key}) directives;
      secretVariables =
        let variables = it.environment or { };
        in filter (key: isSecretName key && isSecretValue variables.${key}) (attrNames variables);
    };

  # Where a secret of a known option is text of the configuration, or a file of the store.
  networkSecrets =
    let
      keyed = prefix: names: key: file:
        let
          at = follow names config;
          one = name: it:
            (if isSet (it.${key} or null) then [ "${prefix}.${name}.${key}" ] else [ ])
            ++ (if inStore (it.${file} or null) then [ "${prefix}.${name}.${file}" ] else [ ]);
        in
        if at.found && isAttrs at.value then concatLists (map (name: one name at.value.${name}) (attrNames at.value))
        else if at.found || !at.threw then [ ]
        else throw "it cannot be evaluated";
    in
    keyed "networking.wireless.networks" [ "networking" "wireless" "networks" ] "psk" "pskFile"
    ++ keyed "networking.wireguard.interfaces" [ "networking" "wireguard" "interfaces" ] "privateKey" "privateKeyFile"
    ++ keyed "networking.wg-quick.interfaces" [ "networking" "wg-quick" "interfaces" ] "privateKey" "privateKeyFile";

  listAt = names:
    let at = follow names config;
    in if at.found && isList at.value then at.value
    else if at.found || !at.threw then [ ]
    else throw "it cannot be evaluated";

  hostKeys = concatLists (map
    (key: if inStore (key.path or null) then [ "services.openssh.hostKeys" ] else [ ])
    (listAt [ "services" "openssh" "hostKeys" ]));

  builder = it: {
    host = plain (it.hostName or null);
    user = plain (it.sshUser or null);
    key = plain (it.sshKey or null);
  };

  # Rules by which somebody becomes root unasked.
  sudoRules = prefix: names: concatLists (map
    (rule:
      let
        asRoot = builtins.elem (rule.runAs or "ALL:ALL") [ "ALL:ALL" "ALL" "root" "root:root" null ];
        isFree = command: isAttrs command && builtins.elem "NOPASSWD" (command.options or [ ]);
        who = map toString ((rule.users or [ ]) ++ map (group: "%${toString group}") (rule.groups or [ ]));
      in
      if asRoot && builtins.any isFree (rule.commands or [ ])
      then [ "${prefix}: ${builtins.concatStringsSep ", " who}" ] else [ ])
    (listAt names));
  doasRules = concatLists (map
    (rule:
      if (rule.noPass or false) && builtins.elem (rule.runAs or null) [ null "root" ]
      then [ "security.doas.extraRules: ${builtins.concatStringsSep ", " (map toString ((rule.users or [ ]) ++ map (group: ":${toString group}") (rule.groups or [ ])))}" ]
      else [ ])
    (listAt [ "security" "doas" "extraRules" ]));

  guarded = value: let result = forced value; in if result.success then result.value else null;

  modes = names: each names (name: it: { inherit name; mode = plain (it.mode or null); });
in
{
  auxConfiguration = 1;
  options = listToAttrs (map (it: { inherit (it) name; inherit (it.answer) value; }) (filter (it: it.answer.found) answers));
  unevaluated = map (it: it.name) (filter (it: it.answer.threw) answers);
  users = each [ "users" "users" ] user;
  services = each [ "systemd" "services" ] service;
  builders = guarded (map builder (listAt [ "nix" "buildMachines" ]));
  secretsInStore = guarded (networkSecrets ++ hostKeys);
  passwordFreeRules = guarded (
    sudoRules "security.sudo.extraRules" [ "security" "sudo" "extraRules" ]
    ++ sudoRules "security.sudo-rs.extraRules" [ "security" "sudo-rs" "extraRules" ]
    ++ doasRules
  );
  secretModes = {
    age = modes [ "age" "secrets" ];
    sops = modes [ "sops" "secrets" ];
  };
}
