# The smallest configuration that really applies: its one resource is built into Terraform, so there is
# nothing to download, and its state is a file in this folder.
resource "terraform_data" "greeting" {
  input = "Hello from Terraform, under the lock of tfguard."
}

output "greeting" {
  value = terraform_data.greeting.output
}
