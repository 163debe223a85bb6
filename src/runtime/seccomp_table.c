/* runtime/seccomp_table.c - the allow-list, by what the calls are for. */
#include "runtime/seccomp_table.h"

#include <sched.h>
#include <seccomp.h>
#include <string.h>

/* Names are separated by blanks. */
static const char files[] =
    "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
    "faccessat faccessat2 fadvise64 "
    "fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl "
    "fcntl64 fdatasync fgetxattr "
    "flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync "
    "ftruncate ftruncate64 "
    "futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init "
    "inotify_init1 "
    "inotify_rm_watch lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr "
    "_llseek lremovexattr lseek "
    "lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat "
    "openat2 pread64 preadv "
    "preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr "
    "removexattrat rename renameat "
    "renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 "
    "statx symlink symlinkat "
    "sync sync_file_range sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 "
    "umask unlink unlinkat utime "
    "utimensat utimensat_time64 utimes vmsplice write writev fanotify_mark cachestat";
static const char memory[] = "brk membarrier memfd_create memfd_secret mincore mlock mlock2 "
                             "mlockall mmap mmap2 mprotect mremap msync "
                             "munlock munlockall munmap madvise map_shadow_stack mseal pkey_alloc "
                             "pkey_free pkey_mprotect process_mrelease "
                             "remap_file_pages";
static const char processes[] = "alarm capget capset execve execveat exit exit_group fork getegid "
                                "getegid32 geteuid geteuid32 getgid getgid32 getgroups "
                                "getgroups32 getitimer getpgid getpgrp getpid getppid getpriority "
                                "getresgid getresgid32 getresuid getresuid32 getrlimit "
                                "get_robust_list getrusage getsid get_thread_area gettid getuid "
                                "getuid32 getcpu ioprio_get ioprio_set kill landlock_add_rule "
                                "landlock_create_ruleset landlock_restrict_self nanosleep pause "
                                "pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall "
                                "rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
                                "rt_sigreturn rt_sigsuspend rt_sigtimedwait "
                                "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity "
                                "sched_getattr sched_getparam sched_get_priority_max "
                                "sched_get_priority_min sched_getscheduler sched_rr_get_interval "
                                "sched_rr_get_interval_time64 sched_setaffinity "
                                "sched_setattr sched_setparam sched_setscheduler sched_yield "
                                "seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
                                "setgroups setgroups32 setitimer setpgid setpriority setregid "
                                "setregid32 setresgid setresgid32 setresuid setresuid32 "
                                "setreuid setreuid32 setrlimit set_robust_list setsid "
                                "set_thread_area set_tid_address setuid setuid32 sigaltstack "
                                "signalfd signalfd4 sigprocmask sigreturn sysinfo tgkill time "
                                "times tkill ugetrlimit uname vfork wait4 waitid waitpid";
static const char waiting[] = "clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
                              "clock_nanosleep clock_nanosleep_time64 "
                              "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait "
                              "epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 "
                              "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake "
                              "gettimeofday io_cancel io_destroy io_getevents "
                              "io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect "
                              "poll ppoll ppoll_time64 pselect6 pselect6_time64 select "
                              "timer_create timer_delete timer_getoverrun timer_gettime "
                              "timer_gettime64 timer_settime timer_settime64 timerfd_create "
                              "timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64";
static const char talking[] =
    "accept accept4 bind connect getpeername getsockname getsockopt ioctl ipc listen mq_getsetattr "
    "mq_notify mq_open "
    "mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl "
    "msgget msgrcv msgsnd pipe pipe2 "
    "recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop "
    "semtimedop_time64 send sendmmsg sendmsg "
    "sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair";
static const char machine[] =
#if defined __x86_64__ || defined __i386__
    "arch_prctl modify_ldt";
#elif defined __aarch64__ || defined __arm__
    "arm_fadvise64_64 breakpoint cacheflush set_tls";
#elif defined __powerpc__
    "sync_file_range2 swapcontext";
#elif defined __s390__
    "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr";
#else
    "";
#endif

const char *const seccomp_lists[SECCOMP_LISTS] = {files,   memory,  processes,
                                                  waiting, talking, machine};

/* What a capability opens up. */
const struct seccomp_cap_list seccomp_cap_lists[] = {
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_ADMIN", "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick "
                      "lookup_dcookie mount mount_setattr move_mount "
                      "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname "
                      "setns syslog umount umount2 unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module init_module finit_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE",
     "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"},
    {"CAP_SYS_RAWIO", "iopl ioperm"},
    {"CAP_SYS_TIME",
     "settimeofday stime clock_settime clock_settime64 adjtimex clock_adjtime clock_adjtime64"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYSLOG", "syslog"},
    {"CAP_BPF", "bpf"},
    {"CAP_PERFMON", "perf_event_open"},
};

const size_t seccomp_ncap_lists = sizeof seccomp_cap_lists / sizeof seccomp_cap_lists[0];

/* Namespaces are for the runtime to make, not for a container without CAP_SYS_ADMIN. */
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#ifdef __s390__
enum { CLONE_FLAGS_ARG = 1 };
#else
enum { CLONE_FLAGS_ARG = 0 };
#endif
enum { AF_VSOCK_FAMILY = 40 }; /* a guest's door to its hypervisor */

const struct seccomp_if seccomp_ifs[SECCOMP_IFS] = {
    {"personality", 0, 0x0, SECCOMP_EQ, NULL},
    {"personality", 0, 0x8, SECCOMP_EQ, NULL},
    {"personality", 0, 0x20000, SECCOMP_EQ, NULL},
    {"personality", 0, 0x20008, SECCOMP_EQ, NULL},
    {"personality", 0, 0xffffffff, SECCOMP_EQ, NULL},
    {"socket", 0, AF_VSOCK_FAMILY, SECCOMP_NE, NULL},
    {"clone", CLONE_FLAGS_ARG, NAMESPACES, SECCOMP_MASKED_ZERO, "CAP_SYS_ADMIN"},
};

bool seccomp_next(const char **list, char name[64])
{
    for (;;) {
        const char *p = *list + strspn(*list, " ");
        size_t n = strcspn(p, " ");
        *list = p + n;
        if (n == 0)
            return false;
        if (n >= 64)
            continue;
        memcpy(name, p, n);
        name[n] = '\0';
        if (seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR)
            return true;
    }
}
