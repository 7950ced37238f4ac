"""Every metric there is: names, help and labels, in the domain's verbs. Once a batch; labels from enums only."""
