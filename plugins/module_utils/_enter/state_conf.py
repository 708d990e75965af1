"""What the numbers of sysctls mean that rtnetlink(7) has of single links: linux/ip.h, ipv6.h, neighbour.h."""
from __future__ import annotations

import os
from typing import Dict, Tuple

# IPV4_DEVCONF_*, from 1 on.
_IPV4 = """
    forwarding mc_forwarding proxy_arp accept_redirects secure_redirects send_redirects shared_media rp_filter
    accept_source_route bootp_relay log_martians tag arp_filter medium_id disable_xfrm disable_policy force_igmp_version
    arp_announce arp_ignore promote_secondaries arp_accept arp_notify accept_local src_valid_mark proxy_arp_pvlan
    route_localnet igmpv2_unsolicited_report_interval igmpv3_unsolicited_report_interval ignore_routes_with_linkdown
    drop_unicast_in_l2_multicast drop_gratuitous_arp bc_forwarding arp_evict_nocarrier
"""
IPV4: Tuple[str, ...] = tuple(_IPV4.split())

# DEVCONF_*, from 0 on, with what a value is divided by: here milliseconds, seconds there. stable_secret is never told.
_IPV6 = """
    forwarding hop_limit mtu accept_ra accept_redirects autoconf dad_transmits router_solicitations
    router_solicitation_interval/1000 router_solicitation_delay/1000 use_tempaddr temp_valid_lft temp_prefered_lft
    regen_max_retry max_desync_factor max_addresses force_mld_version accept_ra_defrtr accept_ra_pinfo
    accept_ra_rtr_pref router_probe_interval/1000 accept_ra_rt_info_max_plen proxy_ndp optimistic_dad
    accept_source_route mc_forwarding disable_ipv6 accept_dad force_tllao ndisc_notify
    mldv1_unsolicited_report_interval mldv2_unsolicited_report_interval suppress_frag_ndisc accept_ra_from_local
    use_optimistic accept_ra_mtu - use_oif_addrs_only accept_ra_min_hop_limit ignore_routes_with_linkdown
    drop_unicast_in_l2_multicast drop_unsolicited_na keep_addr_on_down router_solicitation_max_interval/1000
    seg6_enabled seg6_require_hmac enhanced_dad addr_gen_mode disable_policy accept_ra_rt_info_min_plen ndisc_tclass
    rpl_seg_enabled ra_defrtr_metric ioam6_enabled ioam6_id ioam6_id_wide ndisc_evict_nocarrier accept_untracked_na
    accept_ra_min_lft force_forwarding
"""
IPV6: Tuple[Tuple[str, int], ...] = tuple(
    ("" if word == "-" else word, int(unit or 1))
    for word, dummy, unit in (entry.partition("/") for entry in _IPV6.split()))

_TICK = 1000 // os.sysconf("SC_CLK_TCK")
# NDTPA_*: times in milliseconds here, in seconds or ticks (USER_HZ) there. Two tell the same of a queue.
NEIGHBOURS: Dict[int, Tuple[str, int]] = {
    4: ("base_reachable_time_ms", 1), 5: ("retrans_time_ms", 1), 6: ("gc_stale_time", 1000),
    7: ("delay_first_probe_time", 1000), 8: ("", 1), 9: ("app_solicit", 1), 10: ("ucast_solicit", 1),
    11: ("mcast_solicit", 1), 12: ("anycast_delay", _TICK), 13: ("proxy_delay", _TICK), 14: ("proxy_qlen", 1),
    15: ("locktime", _TICK), 16: ("unres_qlen_bytes", 1), 17: ("mcast_resolicit", 1), 19: ("interval_probe_time_ms", 1),
}
