// SPDX-License-Identifier: Apache-2.0
// keepalived's keywords, by block: those whose meaning is read, and those that have no counterpart, each with what to do.
import type { Grammar, Shape } from './tree.ts';

/** Keywords without a counterpart, each with what to do. */
export type LostKeywords = Readonly<Record<string, string>>;

const events = 'watch events of the service instead: they name what changed, in order; no program is started';
const mail = 'Sluice sends no mail: let your monitoring watch events of the service';
const traces = 'nothing to do: every change of state is an event with its reason';
const probeSource = 'checks leave by the route of the host: add an ip rule, or an address, on the host';

/** Keywords that a virtual server, a real server and a checker have in common. */
const timing = ['retry', 'delay_before_retry', 'connect_timeout', 'delay_loop', 'alpha'] as const;

const warmup = 'nothing to do: first probes are spread at random';

const schedulerFlags = ['sh-port', 'sh-fallback', 'mh-port', 'mh-fallback', 'flag-1', 'flag-2', 'flag-3'] as const;
export const flagKeywords: ReadonlySet<string> = new Set(schedulerFlags);

const virtualServerKeywords = [
  ...timing,
  ...schedulerFlags,
  'lb_algo',
  'lvs_sched',
  'lb_kind',
  'lvs_method',
  'protocol',
  'ip_family',
  'ops',
  'hashed',
  'persistence_timeout',
  'persistence_granularity',
  'quorum',
  'hysteresis',
  'inhibit_on_failure',
  'ha_suspend',
  'virtualhost',
  'weight',
  'sorry_server',
  'sorry_server_inhibit',
  'sorry_server_lvs_method',
] as const;

export const virtualServerLost: LostKeywords = {
  warmup,
  smtp_alert: mail,
  quorum_up: events,
  quorum_down: events,
  omega:
    'it only says which scripts run at the end: watch events, or run the script from the unit of the service manager',
  persistence_engine:
    'clients are kept by their address: use persistence alone, or scheduler mh for one that needs no state',
  snmp_name: 'there is no SNMP: services are named by address and port in all answers',
};

const realServerKeywords = [
  ...timing,
  'weight',
  'lb_kind',
  'lvs_method',
  'uthreshold',
  'lthreshold',
  'inhibit_on_failure',
  'virtualhost',
] as const;

export const realServerLost: LostKeywords = {
  warmup,
  smtp_alert: mail,
  notify_up: events,
  notify_down: events,
  snmp_name: 'there is no SNMP: real servers are named by address and port in all answers',
};

/** Of all checkers, or of those that open connections. */
export const checkerLost: LostKeywords = {
  warmup,
  log_all_failures: traces,
  bindto: probeSource,
  bind_if: probeSource,
  bind_port: probeSource,
  fwmark: probeSource,
};

const scheduling = ['retry', 'delay_before_retry', 'delay_loop', 'alpha', 'warmup', 'log_all_failures'] as const;
const connecting = [
  ...scheduling,
  'connect_ip',
  'connect_port',
  'connect_timeout',
  'bindto',
  'bind_if',
  'bind_port',
  'fwmark',
] as const;

export const urlLost: LostKeywords = {
  regex_min_offset: 'the whole body is searched, up to 256 KiB: write the position into matches',
  regex_max_offset: 'the whole body is searched, up to 256 KiB: write the position into matches',
  regex_stack: 'nothing to do: expressions are not matched with a stack of their own',
};

const url = grammarOf(
  ['path', 'digest', 'status_code', 'virtualhost', 'regex', 'regex_no_match', 'regex_options', 'tls_compliant'],
  urlLost,
);
const http = grammarOf([
  ...connecting,
  'nb_get_retry',
  'virtualhost',
  'http_protocol',
  'enable_sni',
  'sni_name',
  'fast_recovery',
  'tls_compliant',
]);
const smtpHost = grammarOf([
  'connect_ip',
  'connect_port',
  'bindto',
  'bind_if',
  'bind_port',
  'fwmark',
  'connect_timeout',
]);

/** The blocks of checkers. */
export const checkerGrammars: Readonly<Record<string, Grammar>> = {
  TCP_CHECK: grammarOf(connecting),
  HTTP_GET: { ...http, url },
  SSL_GET: { ...http, url },
  SMTP_CHECK: { ...grammarOf([...connecting, 'helo_name']), host: smtpHost },
  DNS_CHECK: grammarOf([...connecting, 'type', 'name']),
  MISC_CHECK: grammarOf([...scheduling, 'misc_path', 'misc_timeout', 'misc_dynamic', 'user']),
  UDP_CHECK: grammarOf([...connecting, 'payload', 'require_reply', 'min_reply_length', 'max_reply_length']),
  PING_CHECK: grammarOf(connecting),
  FILE_CHECK: grammarOf(['track_file', 'weight', 'dynamic']),
  BFD_CHECK: grammarOf(['name', 'alpha']),
};

const realServer: Grammar = { ...grammarOf(realServerKeywords, realServerLost), ...checkerGrammars };
const virtualServer: Grammar = { ...grammarOf(virtualServerKeywords, virtualServerLost), real_server: realServer };
const tls = grammarOf(['password', 'ca', 'certificate', 'key']);
const trackFile = grammarOf(['file', 'weight', 'init_file']);

const failover = 'there is no VRRP: keep keepalived for the addresses, and remove its virtual_server blocks';
const hostNetwork = 'configure the host itself: systemd-networkd, ifupdown or ip(8)';
const ownProcesses = 'nothing to do: Sluice has its own processes and limits';
const namespace = 'start sluice run in the namespace: ip netns exec, or NetworkNamespacePath= of systemd';

/** Blocks and lines outside of all blocks that have no counterpart. */
export const outermostLost: LostKeywords = {
  vrrp_instance: failover,
  vrrp_sync_group: failover,
  vrrp_script: failover,
  vrrp_track_process: failover,
  track_process: failover,
  track_group: failover,
  garp_group: failover,
  bfd_instance: 'there is no BFD: use a check of type ping with a short interval',
  static_ipaddress: hostNetwork,
  static_routes: hostNetwork,
  static_rules: hostNetwork,
  linkbeat_interfaces: failover,
  interface_up_down_delays: failover,
  linkbeat_use_polling: failover,
  net_namespace: namespace,
  net_namespace_ipvs: namespace,
  namespace_with_ipsets: namespace,
  instance: 'give each sluice run its own --socket and --state',
  use_pid_dir: ownProcesses,
  child_wait_time: ownProcesses,
};

/** Of outermostLost, those that stand on one line. */
const outermostLines = [
  'linkbeat_use_polling',
  'net_namespace',
  'net_namespace_ipvs',
  'namespace_with_ipsets',
  'instance',
  'use_pid_dir',
  'child_wait_time',
];

const script = events;
const reload = 'sluice check and sluice apply --dry-run try a document before it comes into force';

/** global_defs, by keywords that have the same answer. */
const globalGroups: readonly (readonly [remedy: string, keywords: string])[] = [
  [
    mail,
    'notification_email notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp smtp_alert_checker no_email_faults no_checker_emails email_faults',
  ],
  ['nothing to do: it names the host in mails and SNMP', 'router_id'],
  [
    ownProcesses,
    'tmp_config_directory config_save_dir process_names process_name vrrp_process_name checker_process_name ipvs_process_name bfd_process_name use_symlink_paths umask max_auto_priority min_auto_priority_delay vrrp_priority checker_priority bfd_priority vrrp_no_swap checker_no_swap bfd_no_swap vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity vrrp_rt_priority checker_rt_priority bfd_rt_priority vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rtime bfd_rlimit_rtime process_monitor_rcv_bufs process_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force data_use_instance random_seed json_version shutdown_script_timeout startup_script_timeout child_wait_time use_pid_dir',
  ],
  [
    'run it from the unit of the service manager: ExecStartPre= and ExecStopPost= of systemd',
    'startup_script shutdown_script',
  ],
  [traces, 'checker_log_all_failures log_unknown_vrids'],
  [
    'connections are not synchronised between hosts yet: a failover ends them',
    'lvs_sync_daemon lvs_sync_daemon_interface',
  ],
  ['nothing to do: Sluice does not use the services of the kernel', 'lvs_flush lvs_flush_on_stop lvs_flush_onstop'],
  [
    'there is no SNMP: sluice status and the admin API have the counters',
    'snmp_socket enable_snmp_vrrp enable_snmp_checker enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps',
  ],
  ['there is no D-Bus: use the admin API', 'enable_dbus dbus_service_name dbus_no_interface_name'],
  [
    script,
    'notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script fifo_write_vrrp_states_on_reload rs_init_notifies vrrp_notify_priority_changes',
  ],
  ['scripts of checks run as process.user; write it there', 'script_user enable_script_security script_security'],
  [namespace, 'net_namespace net_namespace_ipvs namespace_with_ipsets'],
  ['give each sluice run its own --socket and --state', 'instance'],
  [reload, 'reload_check_config reload_time_file reload_repeat reload_file include_check'],
  ['marks are rules of the document: director.marks', 'nftables_ipvs_priority nftables_ipvs_start_fwmark'],
  [
    failover,
    'vrrp_mcast_group4 vrrp_mcast_group6 default_interface vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_down_timer_adverts vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat vrrp_garp_interval vrrp_gna_interval vrrp_min_garp vrrp_garp_extra_if vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert vrrp_version nftables nftables_priority nftables_counters nftables_ifindex vrrp_iptables vrrp_ipsets iptables disable_local_igmp vrrp_check_unicast_src vrrp_skip_check_adv_addr vrrp_strict vrrp_startup_delay vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier dynamic_interfaces allow_if_changes vmac_prefix vmac_addr_prefix vrrp_owner_ignore_adverts v3_checksum_as_v2 timer_expired_backup vrrp_delay_after_boot linkbeat_use_polling',
  ],
];

export const globalLost: LostKeywords = Object.fromEntries(
  globalGroups.flatMap(([remedy, keywords]) => keywords.split(' ').map(keyword => [keyword, remedy] as const)),
);

const globalDefinitions: Grammar = {
  ...grammarOf(['lvs_timeouts', 'nftables_ipvs'], globalLost),
  notification_email: 'values',
};

/** A file of keepalived. */
export const keepalivedGrammar: Grammar = {
  ...Object.fromEntries(Object.keys(outermostLost).map(keyword => [keyword, 'opaque' as const])),
  ...grammarOf(outermostLines),
  global_defs: globalDefinitions,
  virtual_server: virtualServer,
  virtual_server_group: 'values',
  SSL: tls,
  track_file: trackFile,
  vrrp_track_file: trackFile,
};

function grammarOf(keywords: readonly string[], lost: LostKeywords = {}): Grammar {
  return Object.fromEntries([...keywords, ...Object.keys(lost)].map(keyword => [keyword, 'line' satisfies Shape]));
}
