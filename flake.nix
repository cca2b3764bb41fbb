{
  description = "aux: know which of your declarative systems are vulnerable, why, and what fixes them";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEachSystem = build: lib.genAttrs systems (system: build nixpkgs.legacyPackages.${system});
      package =
        { rustPlatform }:
        rustPlatform.buildRustPackage {
          pname = "aux";
          inherit ((builtins.fromTOML (builtins.readFile ./Cargo.toml)).workspace.package) version;
          # What is compiled and nothing else, so that a changed page rebuilds nothing.
          src = lib.fileset.toSource {
            root = ./.;
            fileset = lib.fileset.unions [
              ./Cargo.toml
              ./Cargo.lock
              ./crates
              ./programs
            ];
          };
          cargoLock.lockFile = ./Cargo.lock;
          cargoBuildFlags = [
            "--package"
            "aux-cli"
            "--package"
            "aux-agent"
            "--package"
            "aux-server"
          ];
          postInstall = ''
            for unit in ${./nix/units}/*.service ${./nix/units}/*.timer; do
              install -D --mode=644 "$unit" --target-directory=$out/lib/systemd/system
            done
            install -D --mode=644 ${./nix/units/user}/* --target-directory=$out/lib/systemd/user
            substituteInPlace $out/lib/systemd/*/*.service --replace-fail /usr/bin/ $out/bin/
            install -D --mode=644 ${./contrib/dbus}/*.conf --target-directory=$out/share/dbus-1/system.d
            install -D --mode=644 ${./contrib/dbus}/*.xml --target-directory=$out/share/dbus-1/interfaces
            install -D --mode=644 ${./contrib/polkit}/*.policy --target-directory=$out/share/polkit-1/actions
          '';
          # `make test` wants peers, corpora and examples, none of which are in a sandbox.
          doCheck = false;
          meta = {
            description = "Audits Nix and pkgsrc systems against vulnerability advisories";
            homepage = "https://github.com/auxolotl/aux";
            license = with lib.licenses; [
              mit
              asl20
            ];
            mainProgram = "aux";
          };
        };
    in
    {
      packages = forEachSystem (pkgs: rec {
        aux = pkgs.callPackage package { };
        default = aux;
      });

      # lib.checks { system; feed; machines; … }: flake checks that audit, as nix/checks.nix says.
      lib.checks = settings: import ./nix/checks.nix ({ aux = self.packages.${settings.system}.aux; } // settings);

      overlays.default = final: _previous: { aux = final.callPackage package { }; };

      nixosModules.default =
        { pkgs, lib, ... }:
        {
          imports = [ ./nix/module.nix ];
          services.aux.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.aux;
        };

      nixosModules.server =
        { pkgs, lib, ... }:
        {
          imports = [ ./nix/server.nix ];
          services.aux-server.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.aux;
        };

      nixosModules.secrets =
        { pkgs, lib, ... }:
        {
          imports = [ ./nix/secrets.nix ];
          services.aux-secrets.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.aux;
        };

      apps = forEachSystem (pkgs: rec {
        aux = {
          type = "app";
          program = "${self.packages.${pkgs.stdenv.hostPlatform.system}.aux}/bin/aux";
        };
        default = aux;
      });
    };
}
