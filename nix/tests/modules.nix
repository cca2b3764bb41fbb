# A module system just large enough for nix/module.nix: options with types and defaults, definitions that are merged,
# mkIf, and the refusal of what no option declares. It exists so that the module is evaluated where nixpkgs is not.
let
  inherit (builtins)
    all
    attrNames
    concatLists
    concatStringsSep
    elem
    filter
    foldl'
    hasAttr
    isAttrs
    isBool
    isInt
    isList
    isPath
    isString
    listToAttrs
    map
    ;

  isOption = value: isAttrs value && (value._type or "") == "option";

  type = name: check: { inherit name check; };
  types = {
    bool = type "boolean" isBool;
    str = type "string" isString;
    path = type "path" (value: isPath value || (isString value && builtins.substring 0 1 value == "/"));
    package = type "package" (value: isAttrs value && value ? outPath);
    anything = type "anything" (_value: true);
    ints.positive = type "positive integer" (value: isInt value && value > 0);
    nullOr = inner: type "null or ${inner.name}" (value: value == null || inner.check value);
    listOf = inner: type "list of ${inner.name}" (value: isList value && all inner.check value);
    attrsOf =
      inner: type "set of ${inner.name}" (value: isAttrs value && all inner.check (builtins.attrValues value));
  };

  filterAttrs =
    keep: set:
    listToAttrs (
      map (name: {
        inherit name;
        value = set.${name};
      }) (filter (name: keep name set.${name}) (attrNames set))
    );

  lib = {
    inherit (builtins) replaceStrings;
    # One word of a shell, whatever it holds.
    escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
    inherit types filterAttrs;
    mkOption = option: option // { _type = "option"; };
    mkEnableOption =
      what:
      lib.mkOption {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    optionalAttrs = condition: set: if condition then set else { };
  };

  isIf = value: isAttrs value && (value._type or "") == "if";

  # A condition on a set is one on each of its parts: which parts there are must not depend on the configuration.
  pushed =
    value:
    if isIf value then
      builtins.mapAttrs (_name: part: lib.mkIf value.condition part) (pushed value.content)
    else
      value;

  # What a definition of an option amounts to: nothing where its condition does not hold.
  settled =
    value: if !isIf value then [ value ] else if value.condition then settled value.content else [ ];

  merged =
    path: left: right:
    if isAttrs left && isAttrs right && !(left ? outPath) then
      left
      // listToAttrs (
        map (name: {
          inherit name;
          value =
            if hasAttr name left then merged "${path}.${name}" left.${name} right.${name} else right.${name};
        }) (attrNames right)
      )
    else if isList left && isList right then
      left ++ right
    else if left == right then
      left
    else
      throw "${path} is defined twice, and differently";

  # The value of every option below a path.
  valued =
    path: options: definitions:
    if isOption options then
      let
        given = concatLists (map settled definitions);
        value =
          if given != [ ] then
            foldl' (merged path) (builtins.head given) (builtins.tail given)
          else if options ? default then
            options.default
          else
            throw "${path} has no value";
      in
      if options.type.check value then value else throw "${path} is not of type ${options.type.name}"
    else
      let
        parts = map pushed definitions;
        strange = filter (name: !hasAttr name options) (concatLists (map attrNames parts));
        inner =
          name:
          valued (if path == "" then name else "${path}.${name}") options.${name} (
            map (definition: definition.${name}) (filter (hasAttr name) parts)
          );
      in
      if strange != [ ] then
        throw "no option is called ${path}.${concatStringsSep ", " strange}"
      else
        builtins.mapAttrs (name: _option: inner name) options;
in
{
  inherit lib;

  # Options of NixOS that a module only sets: whatever it puts there, merged.
  any = lib.mkOption {
    type = types.anything;
    default = { };
  };
  list = lib.mkOption {
    type = types.listOf types.anything;
    default = [ ];
  };

  # Evaluates modules: functions of { config, lib, pkgs }, or sets.
  evaluate =
    { modules, pkgs }:
    let
      called = map (
        module: if builtins.isFunction module then module { inherit config lib pkgs; } else module
      ) modules;
      options = foldl' (merged "options") { } (map (module: module.options or { }) called);
      definitions = map (
        module:
        module.config or (filterAttrs (
          name: _value:
          !elem name [
            "options"
            "imports"
          ]
        ) module)
      ) called;
      config = valued "" options definitions;
    in
    config;
}
