"""Parts of other frameworks as parts of Phidex. Each module needs the framework of its name, imported at first use."""
