# What Mail::IMAPClient, which imapsync is made of, does with a mailbox; each step is told as a line of JSON.
# Arguments: the port of IMAP over TLS, a user and his password.
use strict;
use warnings;
use IO::Socket::SSL;
use JSON::PP;
use Mail::IMAPClient;

my ($port, $user, $password) = @ARGV;
my $imap = Mail::IMAPClient->new(
    Server => '127.0.0.1', Port => $port, User => $user, Password => $password, Uid => 1, Peek => 1,
    Ssl => [SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE],
) or die "$@";

sub tell_it { print JSON::PP->new->canonical->encode([@_]), "\n" }

tell_it('folders', [sort $imap->folders]);
tell_it('create', $imap->create('Perl') ? 1 : 0);
my $uid = $imap->append_string('Perl', "Subject: one\r\n\r\nx\r\n", '\\Flagged', '02-Feb-2026 10:00:00 +0000');
tell_it('append', $uid);
$imap->select('Perl');
tell_it('search', [$imap->search('SUBJECT', 'one')]);
my $hash = $imap->fetch_hash('FLAGS', 'RFC822.SIZE', 'INTERNALDATE');
tell_it('fetch', $hash->{$uid});
tell_it('octets', $imap->message_string($uid));
tell_it('copy', $imap->copy('Trash', $uid));
tell_it('expunge', $imap->delete_message($uid) && $imap->expunge ? 1 : 0);
tell_it('count', $imap->message_count);
tell_it('idle', defined(my $tag = $imap->idle) ? 1 : 0);
$imap->done;
tell_it('delete', $imap->delete('Perl') ? 1 : 0);
$imap->logout;
