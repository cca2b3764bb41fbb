{
  description = "Two machines and an appliance of a small organisation that does not exist";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-23.11";
    home-manager = {
      url = "github:nix-community/home-manager/release-23.11";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    # The portal needs PHP 7.4. To be removed once it is ported.
    legacy.url = "github:NixOS/nixpkgs/nixos-20.09";
  };

  outputs =
    { nixpkgs, home-manager, legacy, ... }:
    {
      nixosConfigurations.web = nixpkgs.lib.nixosSystem {
        system = "x86_64-linux";
        specialArgs.legacy = legacy.legacyPackages.x86_64-linux;
        modules = [
          home-manager.nixosModules.home-manager
          ./web.nix
        ];
      };
    };
}
