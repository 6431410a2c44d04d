"""HTTP to URLs that users give: webhooks, tools, gateways."""
