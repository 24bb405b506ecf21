#include "private_dir.h"

#include "wide.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <aclapi.h>
#include <sddl.h>

enum {
    WRITE_RIGHTS = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER,
    SID_TEXT_SIZE = 192, // characters of the longest SID
};

// The user as in "S-1-5-21-…", NULL if Windows does not tell.
static const wchar_t * user_sid(void) {
    static wchar_t text[SID_TEXT_SIZE];
    union {
        TOKEN_USER user;
        char       bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } info;
    HANDLE    token;
    wchar_t * sid  = NULL;
    DWORD     size = 0;
    if (!*text && OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        if (GetTokenInformation(token, TokenUser, &info, sizeof(info), &size) &&
            ConvertSidToStringSidW(info.user.User.Sid, &sid) && wcslen(sid) < SID_TEXT_SIZE) {
            wcscpy(text, sid);
        }
        LocalFree(sid);
        CloseHandle(token);
    }
    return *text ? text : NULL;
}

int make_private_dir(const char * path) {
    wchar_t             wide[WIDE_SIZE], rights[2 * SID_TEXT_SIZE + 128];
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof(attributes)};
    if (!wide_path(path, wide)) {
        return ERROR_FILENAME_EXCED_RANGE;
    }
    const wchar_t * user = user_sid();
    if (user) {
        wcscpy(rights, L"O:");
        wcscat(rights, user);
        wcscat(rights, L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;");
        wcscat(rights, user);
        wcscat(rights, L")");
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rights, SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL);
    }
    BOOL made  = CreateDirectoryW(wide, attributes.lpSecurityDescriptor ? &attributes : NULL);
    int  error = made ? 0 : (int) GetLastError();
    LocalFree(attributes.lpSecurityDescriptor);
    return error == ERROR_ALREADY_EXISTS ? 0 : error;
}

// Whether files of this user, the system, administrators or "the owner" are as good as one's own.
static bool is_trusted(PSID sid) {
    static const wchar_t * const known[] = {L"S-1-5-18", L"S-1-5-32-544", L"S-1-3-0", L"S-1-3-4"};
    const wchar_t *              user    = user_sid();
    wchar_t *                    text    = NULL;
    if (!ConvertSidToStringSidW(sid, &text)) {
        return false;
    }
    bool trusted = user && wcscmp(text, user) == 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        trusted = trusted || wcscmp(text, known[i]) == 0;
    }
    LocalFree(text);
    return trusted;
}

static bool others_may_write(PACL list) {
    if (!list) {
        return true; // no list: everybody may do everything
    }
    for (DWORD i = 0; i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE * entry;
        if (!GetAce(list, i, (void **) &entry)) {
            return true;
        }
        // Entries that are only handed down count too: they are the rights to the files.
        bool allows = entry->Header.AceType == ACCESS_ALLOWED_ACE_TYPE ||
                      entry->Header.AceType == ACCESS_ALLOWED_CALLBACK_ACE_TYPE;
        if (allows && (entry->Mask & (WRITE_RIGHTS | GENERIC_WRITE | GENERIC_ALL)) && !is_trusted(&entry->SidStart)) {
            return true;
        }
    }
    return false;
}

// FAT on a memory stick knows no owners.
static bool has_owners(const wchar_t * path) {
    wchar_t volume[WIDE_SIZE];
    DWORD   flags;
    return !GetVolumePathNameW(path, volume, WIDE_SIZE) ||
           !GetVolumeInformationW(volume, NULL, 0, NULL, NULL, &flags, NULL, 0) || (flags & FILE_PERSISTENT_ACLS);
}

const char * check_private_dir(const char * path) {
    wchar_t              wide[WIDE_SIZE];
    PSECURITY_DESCRIPTOR descriptor = NULL;
    PSID                 owner      = NULL;
    PACL                 list       = NULL;
    const char *         reason     = NULL;
    if (!wide_path(path, wide)) {
        return os_reason(ERROR_FILENAME_EXCED_RANGE);
    }
    DWORD error = GetNamedSecurityInfoW(
        wide, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner, NULL, &list, NULL,
        &descriptor);
    if (error) {
        reason = os_reason((int) error);
    } else if (!owner || !is_trusted(owner)) {
        reason = "it belongs to another user";
    } else if (others_may_write(list)) {
        reason = "other users may write into it";
    }
    LocalFree(descriptor);
    return reason && has_owners(wide) ? reason : NULL;
}
