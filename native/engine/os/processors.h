// How many processors this process may use.
#pragma once

// By its affinity, counted in cores, and by the quota of its control group (containers, systemd's CPUQuota=);
// 0 where the system does not say.
int processors_allowed();
