"""What the prompt classifier finds, lets pass and costs, beside peers that pip installs."""
