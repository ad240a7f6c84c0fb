/* NVIDIA's management library, opened at run time: nothing of it is needed to build, and a machine
 * without it is no error. Only what is used is declared; functions and structures are those of the
 * public interface of nvml.h, versioned ones with the older as a fallback. */
#ifndef CNVML_H
#define CNVML_H

#include <stdint.h>

/* The library, opened and initialised. */
struct cnvml;

/* What is known of a GPU, as bits of `known`. */
#define CNVML_UTILIZATION 1u
#define CNVML_MEMORY 2u
#define CNVML_POWER 4u
#define CNVML_POWER_LIMIT 8u
#define CNVML_TEMPERATURE 16u
#define CNVML_ECC_CORRECTED 32u
#define CNVML_ECC_UNCORRECTED 64u
#define CNVML_THROTTLE 128u
#define CNVML_ENERGY 256u

struct cnvml_gpu {
    uint32_t known;
    /* Percent of the last sample period in which a kernel ran. */
    uint32_t utilization;
    uint64_t memory_used_bytes;
    uint64_t memory_total_bytes;
    uint32_t power_milliwatts;
    uint32_t power_limit_milliwatts;
    uint32_t temperature_celsius;
    /* Errors since the driver was loaded. */
    uint64_t ecc_corrected;
    uint64_t ecc_uncorrected;
    /* Bits of nvmlClocksThrottleReasons. */
    uint64_t throttle_reasons;
    /* Since the driver was loaded. */
    uint64_t energy_millijoules;
};

struct cnvml_process {
    uint32_t pid;
    /* 0 where the driver does not tell. */
    uint64_t memory_bytes;
};

/* Opens the library of this name and initialises it; NULL when it is not there or does not work. */
struct cnvml *cnvml_open(const char *library);

/* How many GPUs there are. */
uint32_t cnvml_count(struct cnvml *nvml);

/* Fills `out` with what is known of a GPU now; -1 when it does not answer. */
int cnvml_read(struct cnvml *nvml, uint32_t index, struct cnvml_gpu *out);

/* Fills `out` with the processes that compute on a GPU, at most `capacity`; returns how many. */
uint32_t cnvml_processes(
    struct cnvml *nvml, uint32_t index, struct cnvml_process *out, uint32_t capacity);

/* Ends the use of the library. */
void cnvml_close(struct cnvml *nvml);

#endif
