terraform {
  required_version = ">= 1.6"
  backend "s3" {
    bucket         = "states"
    key            = "net/terraform.tfstate" # a comment
    region         = "eu-west-1"
    dynamodb_table = "locks"
    use_lockfile   = true
    endpoints = { s3 = "http://127.0.0.1:5999" }
    assume_role = {
      role_arn = "arn:aws:iam::123456789012:role/ci"
    }
  }
}

variable "token" {
  type      = string
  ephemeral = true
}

resource "terraform_data" "x" {
  input = "${var.token}-x"
}

check "c" {
  data "http" "x" { url = <<-EOT
    https://example.com/%{ if true }x%{ endif }
    EOT
  }
}
