<?php
/*
 * What Roundcube's IMAP library does for a user who looks around, writes, files and tidies up; each step is told as a line
 * of JSON. Arguments: the folder of the library, the port of IMAP over TLS, a user and his password.
 */
error_reporting(E_ERROR);
[, $library, $port, $user, $password] = $argv;
spl_autoload_register(function ($class) use ($library) {
    if (is_file("$library/$class.php")) require "$library/$class.php";
});
require "$library/bootstrap.php";

function tell($step, $value) {
    echo json_encode([$step, $value], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), "\n";
}

$imap = new rcube_imap_generic();
$trusting = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$options = ['port' => (int) $port, 'ssl_mode' => 'ssl', 'auth_type' => 'PLAIN', 'timeout' => 20, 'socket_options' => $trusting];
if (!$imap->connect('127.0.0.1', $user, $password, $options)) {
    fwrite(STDERR, $imap->error);
    exit(1);
}
$head = "From: a@b.example\r\nTo: c@d.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
$body = "\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe an alle\r\n"
    . "--b\r\nContent-Type: image/png; name=x.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n";

tell('namespace', $imap->getNamespace()['personal']);
tell('create', $imap->createFolder('Web'));
// The library takes it by reference.
$first = "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <one@x>\r\n$head$body";
$reply = "Subject: Re: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <two@x>\r\nReferences: <one@x>\r\n$head$body";
tell('append', $imap->append('Web', $first, ['SEEN']));
tell('append a reply', $imap->append('Web', $reply));
tell('select', $imap->select('Web') && $imap->data['EXISTS'] == 2);
foreach ($imap->fetchHeaders('Web', '1:*', true, true) as $uid => $header)
    tell("header $uid", [rcube_mime::decode_header($header->subject), $header->from, array_keys($header->flags), count($header->bodystructure)]);
tell('sort', $imap->sort('Web', 'SUBJECT', '', true)->get());
tell('thread', $imap->thread('Web', 'REFERENCES', '', true)->get_tree());
tell('search', $imap->search('Web', 'TEXT "alle"', true, ['ALL', 'COUNT'])->get());
tell('part', $imap->handlePartBody('Web', 1, true, '1', 'quoted-printable'));
tell('flag', $imap->flag('Web', '2', 'FLAGGED') && isset($imap->fetchHeaders('Web', '2', true)[2]->flags['FLAGGED']));
tell('move', $imap->move('2', 'Web', 'Trash'));
tell('counts', [$imap->countMessages('Web'), $imap->countMessages('Trash'), $imap->countUnseen('Trash')]);
tell('rights', $imap->myRights('Web') !== null);
tell('annotation', $imap->setMetadata('Web', ['/private/comment' => 'mine']) ? $imap->getMetadata('Web', ['/private/comment']) : null);
tell('rename', $imap->renameFolder('Web', 'Web &- mehr'));
tell('subscribe', $imap->subscribe('Web &- mehr') && in_array('Web &- mehr', $imap->listSubscribed('', '*')));
tell('clear', $imap->clearFolder('Web &- mehr'));
tell('delete', $imap->deleteFolder('Web &- mehr'));
$imap->closeConnection();
