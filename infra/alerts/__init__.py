"""What somebody in the store should look at now: on the pages and to a webhook."""
