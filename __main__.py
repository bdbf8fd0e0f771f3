"""The Pulumi program: stack config → provider → labs → exports."""

from __future__ import annotations

import pulumi

from labs.deploy import chosen, deploy_labs
from labs.platform import Platform
from labs.target import provider_of, target_of

config = pulumi.Config()
names = chosen(config)
target = target_of(pulumi.get_stack(), config)
on = pulumi.ResourceOptions(provider=provider_of(target))

platform = Platform("platform", target.images, on, target.terms)
labs = deploy_labs(names, target.images, on, target.terms)

pulumi.export("platform", platform.exports)
pulumi.export("labs", {name: lab.exports for name, lab in labs.items()})
for lab in labs.values():
    for name, value in lab.stack_outputs.items():
        pulumi.export(name, value)
