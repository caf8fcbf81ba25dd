terraform {
  cloud {
    organization = "acme"
    workspaces {
      tags = ["net", "prod"]
    }
  }
}
module "m" { source = "./m" }
