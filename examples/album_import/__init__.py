"""An example of two services that publish: one persists albums, the other one enriches them."""
