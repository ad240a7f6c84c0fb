#include "CNVML.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef void *device_t;
typedef int status_t;
#define SUCCESS 0

struct utilization {
    unsigned gpu, memory;
};
struct memory {
    unsigned long long total, free, used;
};
struct process_v1 {
    unsigned pid;
    unsigned long long used;
};
struct process_v2 {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

struct cnvml {
    void *library;
    status_t (*shutdown)(void);
    status_t (*count)(unsigned *);
    status_t (*handle)(unsigned, device_t *);
    status_t (*utilization)(device_t, struct utilization *);
    status_t (*memory)(device_t, struct memory *);
    status_t (*power)(device_t, unsigned *);
    status_t (*power_limit)(device_t, unsigned *);
    status_t (*temperature)(device_t, unsigned, unsigned *);
    status_t (*ecc)(device_t, unsigned, unsigned, unsigned long long *);
    status_t (*throttle)(device_t, unsigned long long *);
    status_t (*energy)(device_t, unsigned long long *);
    /* `process_size` says of which structure the buffer is made. */
    status_t (*processes)(device_t, unsigned *, void *);
    size_t process_size;
};

static void *symbol(void *library, const char *newest, const char *older) {
    void *found = dlsym(library, newest);
    return found || !older ? found : dlsym(library, older);
}

static void find_processes(struct cnvml *nvml) {
    /* The second and third versions have the same structure. */
    nvml->process_size = sizeof(struct process_v2);
    nvml->processes = symbol(
        nvml->library, "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetComputeRunningProcesses_v2");
    if (nvml->processes) return;
    nvml->process_size = sizeof(struct process_v1);
    nvml->processes = symbol(nvml->library, "nvmlDeviceGetComputeRunningProcesses", NULL);
}

struct cnvml *cnvml_open(const char *name) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) return NULL;
    struct cnvml *nvml = calloc(1, sizeof *nvml);
    status_t (*init)(void) = symbol(library, "nvmlInit_v2", "nvmlInit");
    if (!nvml || !init) {
        free(nvml);
        dlclose(library);
        return NULL;
    }
    nvml->library = library;
    nvml->shutdown = symbol(library, "nvmlShutdown", NULL);
    nvml->count = symbol(library, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount");
    nvml->handle = symbol(library, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex");
    nvml->utilization = symbol(library, "nvmlDeviceGetUtilizationRates", NULL);
    nvml->memory = symbol(library, "nvmlDeviceGetMemoryInfo", NULL);
    nvml->power = symbol(library, "nvmlDeviceGetPowerUsage", NULL);
    nvml->power_limit = symbol(
        library, "nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementLimit");
    nvml->temperature = symbol(library, "nvmlDeviceGetTemperature", NULL);
    nvml->ecc = symbol(library, "nvmlDeviceGetTotalEccErrors", NULL);
    nvml->throttle = symbol(
        library, "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetCurrentClocksThrottleReasons");
    nvml->energy = symbol(library, "nvmlDeviceGetTotalEnergyConsumption", NULL);
    find_processes(nvml);
    if (!nvml->count || !nvml->handle || init() != SUCCESS) {
        dlclose(library);
        free(nvml);
        return NULL;
    }
    return nvml;
}

uint32_t cnvml_count(struct cnvml *nvml) {
    unsigned count = 0;
    return nvml->count(&count) == SUCCESS ? count : 0;
}

int cnvml_read(struct cnvml *nvml, uint32_t index, struct cnvml_gpu *out) {
    device_t device;
    memset(out, 0, sizeof *out);
    if (nvml->handle(index, &device) != SUCCESS) return -1;
    struct utilization utilization;
    if (nvml->utilization && nvml->utilization(device, &utilization) == SUCCESS) {
        out->known |= CNVML_UTILIZATION;
        out->utilization = utilization.gpu;
    }
    struct memory memory;
    if (nvml->memory && nvml->memory(device, &memory) == SUCCESS) {
        out->known |= CNVML_MEMORY;
        out->memory_used_bytes = memory.used;
        out->memory_total_bytes = memory.total;
    }
    if (nvml->power && nvml->power(device, &out->power_milliwatts) == SUCCESS)
        out->known |= CNVML_POWER;
    if (nvml->power_limit && nvml->power_limit(device, &out->power_limit_milliwatts) == SUCCESS)
        out->known |= CNVML_POWER_LIMIT;
    /* Sensor 0 is the GPU's die. */
    if (nvml->temperature && nvml->temperature(device, 0, &out->temperature_celsius) == SUCCESS)
        out->known |= CNVML_TEMPERATURE;
    /* Kind 0 is corrected, 1 is not; counter 0 begins with the driver. */
    unsigned long long number = 0;
    if (nvml->ecc && nvml->ecc(device, 0, 0, &number) == SUCCESS) {
        out->known |= CNVML_ECC_CORRECTED;
        out->ecc_corrected = number;
    }
    if (nvml->ecc && nvml->ecc(device, 1, 0, &number) == SUCCESS) {
        out->known |= CNVML_ECC_UNCORRECTED;
        out->ecc_uncorrected = number;
    }
    if (nvml->throttle && nvml->throttle(device, &number) == SUCCESS) {
        out->known |= CNVML_THROTTLE;
        out->throttle_reasons = number;
    }
    if (nvml->energy && nvml->energy(device, &number) == SUCCESS) {
        out->known |= CNVML_ENERGY;
        out->energy_millijoules = number;
    }
    return 0;
}

uint32_t cnvml_processes(
    struct cnvml *nvml, uint32_t index, struct cnvml_process *out, uint32_t capacity) {
    device_t device;
    if (!nvml->processes || capacity == 0 || nvml->handle(index, &device) != SUCCESS) return 0;
    unsigned char *buffer = calloc(capacity, nvml->process_size);
    if (!buffer) return 0;
    unsigned count = capacity;
    status_t status = nvml->processes(device, &count, buffer);
    /* With too many for the buffer nothing is written that could be relied on. */
    if (status != SUCCESS || count > capacity) count = 0;
    for (unsigned i = 0; i < count; i++) {
        const unsigned char *entry = buffer + i * nvml->process_size;
        struct process_v1 process;
        memcpy(&process, entry, sizeof process);
        out[i].pid = process.pid;
        /* NVML_VALUE_NOT_AVAILABLE is all ones. */
        out[i].memory_bytes = process.used == ~0ull ? 0 : process.used;
    }
    free(buffer);
    return count;
}

void cnvml_close(struct cnvml *nvml) {
    if (!nvml) return;
    if (nvml->shutdown) nvml->shutdown();
    dlclose(nvml->library);
    free(nvml);
}
