"""The gateway knows the way to a Pod: an outside host reaches it by its own address."""

from scripts.fault._acts import rule_in
from scripts.fault._base import ROUTES, Act, Fault, Site


def _acts(site: Site) -> list[Act]:
    world, pod = site.view.world, site.pod("egress", "traveller")
    node = site.view.snapshot.node_ip(pod.node)
    words = (f"{pod.ip}/32", "via", node, "proto", ROUTES)
    there = ("sh", "-c", f"ip route show proto {ROUTES} | grep -q .")
    way = Act(
        "container",
        world.gateway,
        do=(("ip", "route", "add", *words),),
        undo=(("ip", "route", "del", *words),),
        there=there,
        what=f"route to {pod.ip} on the gateway",
    )
    return [
        way,
        rule_in(site, world.gateway, "FORWARD", f"-s {world.outside_ip} -d {pod.ip} -j ACCEPT"),
        rule_in(site, world.gateway, "FORWARD", f"-s {pod.ip} -d {world.outside_ip} -j ACCEPT"),
    ]


FAULT = Fault(
    what="the gateway forwards from outside to Pod traveller",
    acts=_acts,
    must={"E5-outside": "unexpected-answer"},
    beside=("E2-client-1", "C4-pod-80", "I6-*"),
    cause="exposed",
    on=lambda site: site.view.world.gateway,
    claims=("E5",),
    symptom="A Pod answers to somebody who should not know the way.",
    hints=(
        "Claim E5 says that an outside host cannot reach a Pod's address: which one does it reach?",
        "Trace it: by which gateway does the request come in?",
        "ip route on the gateway: how does it know that address?",
    ),
)
